//! Certificates for a cluster: an authority, one for each node, and one for clients.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use driver::transport::{cluster_name, node_name};
use raft_core::{ClusterId, NodeId};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// Why no certificates were made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificatesError {
    /// A file could not be written.
    #[error("{path} cannot be written: {error}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        error: std::io::Error,
    },
    /// There is one already: whoever has its certificates would be shut out.
    #[error("{path} is there already: use another folder, or remove it", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A certificate could not be made.
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// Writes an authority, and certificates of nodes and of clients, into a folder.
///
/// # Errors
/// When a file cannot be written, or is there already.
pub fn write(
    folder: &Path,
    cluster: ClusterId,
    nodes: &[NodeId],
) -> Result<Vec<PathBuf>, CertificatesError> {
    fs::create_dir_all(folder)
        .map_err(|error| CertificatesError::File { path: folder.to_owned(), error })?;
    let authority = authority(cluster)?;
    let mut written = vec![save(folder, "authority.pem", &authority.pem())?];
    for node in nodes {
        let names = vec![node_name(cluster, *node), cluster_name(cluster)];
        written.extend(issue(folder, &format!("node-{}", node.0), names, &authority)?);
    }
    let client = vec![format!("client.{}", cluster_name(cluster))];
    written.extend(issue(folder, "client", client, &authority)?);
    Ok(written)
}

fn authority(cluster: ClusterId) -> Result<CertifiedIssuer<'static, KeyPair>, CertificatesError> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
        .distinguished_name
        .push(DnType::CommonName, format!("authority of {}", cluster_name(cluster)));
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn issue(
    folder: &Path,
    name: &str,
    names: Vec<String>,
    authority: &CertifiedIssuer<'static, KeyPair>,
) -> Result<[PathBuf; 2], CertificatesError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok([
        save(folder, &format!("{name}.pem"), &certificate.pem())?,
        save(folder, &format!("{name}.key"), &key.serialize_pem())?,
    ])
}

/// Writes a file that is not there yet, for its owner alone.
fn save(folder: &Path, name: &str, text: &str) -> Result<PathBuf, CertificatesError> {
    let path = folder.join(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => CertificatesError::Exists { path: path.clone() },
        _ => CertificatesError::File { path: path.clone(), error },
    })?;
    Ok(path)
}
