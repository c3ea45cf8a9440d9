//! TLS on both sides. A node is believed to be who its certificate says: `node-3.cluster-1` is node 3 of cluster 1.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use raft_core::{ClusterId, NodeId};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::greeting::{Greeting, Purpose};

/// Where the certificates are, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority that vouches for everybody.
    pub authority: PathBuf,
    /// The own certificate, and what lies between it and the authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// What a certificate must name: the node, of the cluster.
pub fn node_name(cluster: ClusterId, node: NodeId) -> String {
    format!("node-{}.cluster-{}", node.0, cluster.0)
}

/// What the certificate of every node of a cluster names as well: clients do not care which node they reach.
pub fn cluster_name(cluster: ClusterId) -> String {
    format!("cluster-{}", cluster.0)
}

/// Why certificates are of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("{path} holds no {what}: {why}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// They do not go together.
    #[error("the certificates do not go together: {0}")]
    Contradiction(String),
}

/// Both sides of TLS.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads certificates.
    ///
    /// # Errors
    /// When a file cannot be read, or they do not go together.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let contradiction = |why: &dyn std::fmt::Display| TlsError::Contradiction(why.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&files.authority)? {
            roots.add(certificate).map_err(|why| contradiction(&why))?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|why| file(&files.key, "private key", &why))?;
        let verifier = WebPkiClientVerifier::builder(roots.clone()).build();
        let server = ServerConfig::builder()
            .with_client_cert_verifier(verifier.map_err(|why| contradiction(&why))?)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|why| contradiction(&why))?;
        let client = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|why| contradiction(&why))?;
        Ok(Self { acceptor: Arc::new(server).into(), connector: Arc::new(client).into() })
    }

    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<server::TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Connects to whom the greeting is for, and to nobody else.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        greeting: &Greeting,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let name = match &greeting.purpose {
            Purpose::Peer { to, .. } => node_name(greeting.cluster, *to),
            Purpose::Client => cluster_name(greeting.cluster),
        };
        let name = ServerName::try_from(name).expect("letters, digits, dots and dashes");
        self.connector.connect(name, stream).await
    }
}

/// Whether a certificate is that of a node.
pub(super) fn is_node(certificate: &CertificateDer<'_>, cluster: ClusterId, node: NodeId) -> bool {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return false };
    let name =
        ServerName::try_from(node_name(cluster, node)).expect("letters, digits, dots and dashes");
    certificate.verify_is_valid_for_subject_name(&name).is_ok()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let what = "certificate";
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|why| file(path, what, &why))?.collect();
    let found = found.map_err(|why| file(path, what, &why))?;
    if found.is_empty() {
        return Err(file(path, what, &"it has no section BEGIN CERTIFICATE"));
    }
    Ok(found)
}

fn file(path: &Path, what: &'static str, why: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), what, why: why.to_string() }
}
