//! Serves the folder of the page.
//!
//! Files whose name holds a hash of their content never change and are cached for good; everything
//! else is asked for again each time, and answered shortly if it is the same. A file `x.js.br` or
//! `x.js.gz` next to `x.js` is sent in its place to clients that can unpack it.

use std::{
    collections::HashMap,
    io,
    path::{Component, Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};

/// What the page may load. Connections may go to any relay, everything else comes from here.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; \
     script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
     connect-src 'self' ws: wss:; img-src 'self' data:";

/// Longest file that is served, in bytes.
pub const MAX_FILE: u64 = 32 * 1024 * 1024;

/// Bytes of files that are kept in memory, so that a hundred slow clients share one copy.
pub const MAX_CACHE: usize = 64 * 1024 * 1024;

const BUILT_IN: &str = include_str!("built_in.html");

/// The folder of the page, or the short built-in page.
#[derive(Debug)]
pub struct Pages {
    root: Option<PathBuf>,
    cache: Mutex<HashMap<PathBuf, Cached>>,
}

#[derive(Debug, Clone)]
struct Cached {
    modified: SystemTime,
    content: Bytes,
}

impl Pages {
    /// Serves `folder`, which must exist; without one, the built-in page.
    pub fn new(folder: Option<&Path>) -> io::Result<Self> {
        let root = folder.map(|f| f.canonicalize()).transpose()?;
        if let Some(root) = &root
            && !root.is_dir()
        {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { root, cache: Mutex::default() })
    }

    /// Answers a GET of `path`, as it stands in the request.
    pub async fn get(&self, path: &str, headers: &HeaderMap) -> Response<Body> {
        let Some(root) = &self.root else {
            return match path {
                "/" | "/index.html" => respond(
                    StatusCode::OK,
                    Bytes::from_static(BUILT_IN.as_bytes()),
                    &[
                        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                        (header::CACHE_CONTROL, "no-cache"),
                    ],
                ),
                _ => not_found(),
            };
        };
        let Some(relative) = relative(path) else { return not_found() };
        let file = root.join(relative);
        let file = match tokio::fs::metadata(&file).await {
            Ok(metadata) if metadata.is_dir() => file.join("index.html"),
            _ => file,
        };
        for (coding, suffix) in [("br", ".br"), ("gzip", ".gz")] {
            if accepts(headers, coding) {
                let packed = append(&file, suffix);
                if let Some(found) = self.read(root, &packed).await {
                    return answer(&file, found, Some(coding), headers);
                }
            }
        }
        match self.read(root, &file).await {
            Some(found) => answer(&file, found, None, headers),
            None => not_found(),
        }
    }

    async fn read(&self, root: &Path, file: &Path) -> Option<Cached> {
        // A link that leads out of the folder isn't followed.
        let file = tokio::fs::canonicalize(file).await.ok().filter(|f| f.starts_with(root))?;
        let metadata = tokio::fs::metadata(&file).await.ok()?;
        if !metadata.is_file() || metadata.len() > MAX_FILE {
            return None;
        }
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        if let Some(cached) = self.cache().get(&file).cloned()
            && cached.modified == modified
            && cached.content.len() as u64 == metadata.len()
        {
            return Some(cached);
        }
        let content = Bytes::from(tokio::fs::read(&file).await.ok()?);
        let cached = Cached { modified, content };
        let mut cache = self.cache();
        let used: usize = cache.values().map(|c| c.content.len()).sum();
        if used + cached.content.len() > MAX_CACHE {
            cache.clear();
        }
        cache.insert(file, cached.clone());
        Some(cached)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Cached>> {
        // The map is whole even if a thread panicked while it held the lock.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(
    file: &Path,
    found: Cached,
    coding: Option<&'static str>,
    headers: &HeaderMap,
) -> Response<Body> {
    let since_epoch = found.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let tag = format!(
        "\"{:x}-{:x}{}\"",
        since_epoch.as_nanos(),
        found.content.len(),
        coding.unwrap_or_default()
    );
    let same = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|t| t.trim().trim_start_matches("W/") == tag));
    let (status, content) = if same {
        (StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        (StatusCode::OK, found.content)
    };
    let cache = if has_hash(file) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = respond(
        status,
        content,
        &[
            (header::CONTENT_TYPE, content_type(file)),
            (header::CACHE_CONTROL, cache),
            (header::VARY, "accept-encoding"),
        ],
    );
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn not_found() -> Response<Body> {
    respond(
        StatusCode::NOT_FOUND,
        Bytes::from_static(b"not found\n"),
        &[(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")],
    )
}

fn respond(
    status: StatusCode,
    content: Bytes,
    headers: &[(HeaderName, &'static str)],
) -> Response<Body> {
    let mut response = Response::new(Body::from(content));
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The path inside the folder, or `None` if it tries to leave it or names a hidden file.
fn relative(path: &str) -> Option<PathBuf> {
    let decoded = percent_decode(path)?;
    let mut relative = PathBuf::new();
    for part in decoded.split('/').filter(|part| !part.is_empty()) {
        let hidden = part.starts_with('.');
        let one = Path::new(part).components().collect::<Vec<_>>();
        if hidden || part.contains(['\\', '\0', ':']) || !matches!(one[..], [Component::Normal(_)])
        {
            return None;
        }
        relative.push(part);
    }
    Some(relative)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Whether the client takes this content coding: it is listed, and not with quality 0.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok()).any(|list| {
        list.split(',').any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
            let refused = parts
                .filter_map(|p| p.strip_prefix("q="))
                .any(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
            named && !refused
        })
    })
}

/// Whether a name is like `index-B3xK9_aZ.js`, as bundlers write it: eight or more characters of a
/// hash before the extension, not all of them lower-case letters as in a word.
fn has_hash(file: &Path) -> bool {
    let in_assets = file.parent().and_then(Path::file_name).is_some_and(|name| name == "assets");
    let stem = file.file_name().and_then(|n| n.to_str()).and_then(|n| n.split('.').next());
    let Some((_, hash)) = stem.and_then(|stem| stem.split_once('-')) else { return false };
    let tail = &hash[hash.len().saturating_sub(8)..];
    in_assets && tail.len() == 8 && tail.bytes().any(|b| !b.is_ascii_lowercase())
}

fn append(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "gif" => "image/gif",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "jpg" | "jpeg" => "image/jpeg",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" | "md" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for path in [
            "/../secret",
            "/a/../../secret",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/a/..%5c..%5csecret",
            "/.env",
            "/a/.git/config",
            "/%00",
            "/%zz",
            "/%",
            "/c:/x",
            "/%ff",
        ] {
            assert_eq!(relative(path), None, "{path}");
        }
        assert_eq!(relative("/assets//a%20b.js"), Some("assets/a b.js".into()));
        assert_eq!(relative("/"), Some(PathBuf::new()));
    }

    #[test]
    fn only_names_with_a_hash_are_cached_for_good() {
        for (path, expected) in [
            ("assets/index-B3xK9_aZ.js", true),
            ("assets/vivim_wasm_bg-DqX-aB-1.wasm", true),
            ("assets/index-Cf41d2aa.js.map", true),
            ("index.html", false),
            ("assets/index.js", false),
            ("assets/code-highlight.js", false),
            ("index-B3xK9_aZ.js", false),
        ] {
            assert_eq!(has_hash(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_coding_is_used_only_if_the_client_takes_it() {
        let with = |value: &str| {
            HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap())])
        };
        assert!(accepts(&with("gzip, deflate, br"), "br"));
        assert!(accepts(&with("gzip;q=0.5,BR;q=1.0"), "br"));
        assert!(!accepts(&with("gzip, br;q=0"), "br"));
        assert!(!accepts(&with("brotli"), "br"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }
}
