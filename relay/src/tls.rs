//! The certificate for `wss`.

use std::path::Path;

use libp2p::websocket::tls;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::error::TlsError;

/// Reads a certificate chain and its key from PEM files.
pub(crate) fn load(certificate: &Path, key: &Path) -> Result<tls::Config, TlsError> {
    let file_error = |what, path: &Path, error: rustls_pki_types::pem::Error| TlsError::File {
        what,
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(|certificates| {
            certificates.map(|c| c.map(|c| tls::Certificate::new(c.to_vec()))).collect()
        })
        .map_err(|e| file_error("the certificate", certificate, e))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let key_error = |reason: String| TlsError::File { what: "the key", path: key.into(), reason };
    let der = PrivateKeyDer::from_pem_file(key).map_err(|e| key_error(e.to_string()))?;
    // `PrivateKey::new` panics on a key whose kind can't be told from its bytes.
    let bytes = der.secret_der().to_vec();
    PrivateKeyDer::try_from(bytes.clone()).map_err(|e| key_error(e.into()))?;
    Ok(tls::Config::new(tls::PrivateKey::new(bytes), chain)?)
}
