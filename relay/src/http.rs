//! The HTTP port: the page, `/healthz`, `/metrics` and `/.well-known/vivim`.
//!
//! Requests have no body, heads of at most [`MAX_HEAD`] bytes and [`HEAD_TIMEOUT`] to arrive; a
//! connection lives at most [`MAX_LIFETIME`], and there are at most [`MAX_CONNECTIONS`].

use std::{
    convert::Infallible,
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
    response::IntoResponse,
    routing,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use libp2p::metrics::Registry;
use tokio::{net::TcpListener, sync::Semaphore, sync::watch, task::JoinSet};
use tower::ServiceExt;

use crate::{
    config::MetricsAccess,
    metrics::Metrics,
    pages::{CONTENT_SECURITY_POLICY, Pages},
    ready::{Facts, Host},
};

/// Bytes of a request's head.
pub const MAX_HEAD: usize = 16 * 1024;

/// How long a request's head may take, also after the answer to the one before.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may live; a large file on a slow line must fit.
pub const MAX_LIFETIME: Duration = Duration::from_secs(600);

/// Connections at a time; more wait in the system's queue.
pub const MAX_CONNECTIONS: usize = 1024;

/// How long answers that are under way may take when the relay stops.
pub const DRAIN: Duration = Duration::from_secs(2);

/// How old the swarm's last sign of life may be for `/healthz` to say that all is well.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(30);

/// What the HTTP port knows of the relay.
pub(crate) struct Shared {
    pub(crate) facts: RwLock<Facts>,
    pub(crate) pages: Pages,
    pub(crate) registry: Registry,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) metrics_access: MetricsAccess,
    pub(crate) alive: Alive,
}

/// When the swarm was last seen working.
pub(crate) struct Alive {
    epoch: Instant,
    last_millis: AtomicU64,
}

impl Alive {
    pub(crate) fn new() -> Self {
        Self { epoch: Instant::now(), last_millis: AtomicU64::new(0) }
    }

    pub(crate) fn tick(&self) {
        self.last_millis.store(self.millis(), Ordering::Relaxed);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_alive(&self) -> bool {
        let age = self.millis().saturating_sub(self.last_millis.load(Ordering::Relaxed));
        Duration::from_millis(age) < HEALTH_TIMEOUT
    }
}

/// The other end of the connection a request came on.
#[derive(Clone, Copy)]
struct Remote(IpAddr);

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", routing::get(health))
        .route("/metrics", routing::get(metrics))
        .route("/.well-known/vivim", routing::get(well_known).options(preflight))
        .fallback(page)
        .with_state(shared)
}

async fn health(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let (status, text) = if shared.alive.is_alive() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the swarm doesn't answer\n")
    };
    (status, [(header::CACHE_CONTROL, "no-store")], text)
}

async fn metrics(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<impl IntoResponse, StatusCode> {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| request.headers().contains_key(*name));
    let local = request
        .extensions()
        .get::<Remote>()
        .is_some_and(|Remote(ip)| ip.to_canonical().is_loopback() && !forwarded);
    match shared.metrics_access {
        MetricsAccess::Public => {}
        MetricsAccess::Loopback if local => {}
        MetricsAccess::Loopback => return Err(StatusCode::FORBIDDEN),
        MetricsAccess::Off => return Err(StatusCode::NOT_FOUND),
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &shared.registry)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], text))
}

async fn well_known(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, StatusCode> {
    let host =
        headers.get(header::HOST).and_then(|value| value.to_str().ok()).and_then(Host::from_header);
    let ready = shared.facts.read().unwrap_or_else(PoisonError::into_inner).ready(host.as_ref());
    let json = serde_json::to_string(&ready).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    // Any page may use any relay: there is nothing here that a client couldn't ask.
    Ok((
        [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_TYPE, "application/json"),
        ],
        json,
    ))
}

async fn preflight() -> impl IntoResponse {
    (
        StatusCode::NO_CONTENT,
        [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        ],
    )
}

async fn page(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    match *request.method() {
        Method::GET | Method::HEAD => {
            let head = request.method() == Method::HEAD;
            let (parts, _) = request.into_parts();
            let response = shared.pages.get(parts.uri.path(), &parts.headers).await;
            if head { without_body(response) } else { response }
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response(),
    }
}

/// An answer to HEAD has the length of the body it leaves out.
fn without_body(response: Response<Body>) -> Response<Body> {
    use axum::body::HttpBody;
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}

fn secure(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Serves HTTP on `listener` until `stop` is true or closed.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let router = router(Arc::clone(&shared));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, remote, place)) = accepted else { continue };
        let served = connection(stream, remote, router.clone(), Arc::clone(&shared), stop.clone());
        connections.spawn(async move {
            served.await;
            drop(place);
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    // Whoever is slower than this is cut off when `connections` is dropped.
    let _ = tokio::time::timeout(DRAIN, drained).await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, remote)) => {
            // An answer is written at once, so waiting for more would only delay it.
            let _ = stream.set_nodelay(true);
            Some((stream, remote, place))
        }
        Err(error) => {
            tracing::warn!(%error, "accepting an HTTP connection failed");
            // Out of file descriptors, most likely: others have to finish first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

fn connection(
    stream: tokio::net::TcpStream,
    remote: SocketAddr,
    router: Router,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send {
    let service = hyper::service::service_fn(move |request: hyper::Request<_>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Remote(remote.ip()));
        let (router, shared) = (router.clone(), Arc::clone(&shared));
        async move {
            let response = match router.oneshot(request).await {
                Ok(response) => secure(response),
                Err(never) => match never {},
            };
            shared.metrics.http(response.status().as_u16());
            Ok::<_, Infallible>(response)
        }
    });
    async move {
        let mut served = std::pin::pin!(
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(MAX_HEAD)
                .serve_connection(TokioIo::new(stream), service)
        );
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let mut stopped = std::pin::pin!(stopped);
        let mut stopping = false;
        let lifetime = tokio::time::sleep(MAX_LIFETIME);
        let mut lifetime = std::pin::pin!(lifetime);
        loop {
            tokio::select! {
                result = served.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "HTTP connection");
                    }
                    return;
                }
                () = stopped.as_mut(), if !stopping => {
                    stopping = true;
                    served.as_mut().graceful_shutdown();
                }
                () = lifetime.as_mut() => return,
            }
        }
    }
}
