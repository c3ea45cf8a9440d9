//! Whoever has no certificate, or not that of the node that they say they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use driver::transport::{Greeting, Purpose, Tls, TlsFiles, cluster_name, connect};
use kv::certificates;
use raft_core::NodeId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::strangers::{Deeds, Target};
use super::wire::{self, CLUSTER};

/// The authority of the cluster, and another one.
const OURS: &str = "tls";
const OTHERS: &str = "other-tls";

/// Makes certificates of the cluster, and of another authority; gives that of clients.
pub(crate) fn certify(folder: &Path, nodes: &[NodeId]) -> Tls {
    for name in [OURS, OTHERS] {
        certificates::write(&folder.join(name), CLUSTER, nodes).expect("certificates");
    }
    tls(folder, OURS, "client")
}

/// How a node is told of its certificate.
pub(crate) fn arguments(folder: &Path, id: NodeId) -> Vec<String> {
    let path = |name: &str| folder.join(OURS).join(name).display().to_string();
    [
        "--tls-authority".to_owned(),
        path("authority.pem"),
        "--tls-certificate".to_owned(),
        path(&format!("node-{}.pem", id.0)),
        "--tls-key".to_owned(),
        path(&format!("node-{}.key", id.0)),
    ]
    .into()
}

/// A certificate of some authority, for somebody who believes that of the cluster.
fn tls(folder: &Path, from: &str, name: &str) -> Tls {
    let file = |end: &str| folder.join(from).join(format!("{name}.{end}"));
    let authority = folder.join(OURS).join("authority.pem");
    let files = TlsFiles { authority, certificate: file("pem"), key: file("key") };
    Tls::load(&files).expect("a certificate")
}

/// Every kind of impostor visits a node once: who it was, what it should be told, and what it was told.
///
/// # Panics
/// When one is let in.
pub(crate) async fn all(
    folder: &Path,
    target: Target,
) -> Vec<(&'static str, &'static str, String)> {
    const NOT_YOURS: &str = "the certificate is not that of node";
    let (from, another) = (NodeId(1 + target.node.0 % 3), NodeId(1 + (target.node.0 + 1) % 3));
    let purpose = Purpose::Peer { from, to: target.node, address: String::new() };
    let greeting = Greeting { cluster: CLUSTER, purpose };
    let mut told = Vec::new();
    for (name, authority, certificate, expected) in [
        ("certificate of another node", OURS, format!("node-{}", another.0), NOT_YOURS),
        ("certificate of a client", OURS, "client".to_owned(), NOT_YOURS),
        ("certificate of another authority", OTHERS, format!("node-{}", from.0), "fatal alert"),
    ] {
        let tls = tls(folder, authority, &certificate);
        let answer = connect(&target.address.to_string(), Some(&tls), &greeting, 1024).await;
        let error = answer.map(drop).expect_err(name);
        told.push((name, expected, error.to_string()));
    }
    for bytes in [wire::as_client(), wire::as_node(from, target.node)] {
        let heard = without_certificate(folder, target, &bytes).await;
        assert!(heard.is_empty(), "without a certificate: {heard:?}");
        told.push(("no certificate", "", String::new()));
    }
    told
}

/// Visits every node until a time. When there are many strangers, who comes is not always told anything.
pub(crate) async fn visit(folder: PathBuf, targets: Vec<Target>, until: Instant) -> Deeds {
    let mut deeds = Deeds::new();
    while Instant::now() < until {
        for target in &targets {
            for (name, ..) in all(&folder, *target).await {
                *deeds.entry(name).or_default() += 1;
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    deeds
}

/// What is answered to somebody who believes the node and has no certificate.
async fn without_certificate(folder: &Path, target: Target, bytes: &[u8]) -> Vec<u8> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(folder.join(OURS).join("authority.pem"));
    roots.add(authority.expect("a certificate")).expect("an authority");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(cluster_name(CLUSTER)).expect("a name");
    let mut heard = Vec::new();
    let Some(stream) = wire::reach(target.address).await else { return heard };
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    // Only what comes back counts.
    if let Ok(mut stream) = connected {
        drop(stream.write_all(bytes).await);
        drop(timeout(Duration::from_secs(2), stream.read_to_end(&mut heard)).await);
    }
    heard
}
