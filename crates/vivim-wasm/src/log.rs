//! Logs go to the browser's console. Levels below `error` are compiled out of the shipped module.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, Ordering},
};

use js_sys::Function;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};
use wasm_bindgen::prelude::*;

static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Sets the level (0 off, 1 error, 2 warn, 3 info, 4 debug, 5 trace) and who gets the lines. The
/// first call decides for the whole module.
#[wasm_bindgen(js_name = setLogLevel)]
pub fn set_log_level(
    level: u8,
    #[wasm_bindgen(unchecked_param_type = "(level: number, line: string) => void")] sink: Function,
) {
    let level = match level {
        0 => return,
        1 => LevelFilter::ERROR,
        2 => LevelFilter::WARN,
        3 => LevelFilter::INFO,
        4 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    if !INSTALLED.swap(true, Ordering::Relaxed) {
        SINK.with(|slot| slot.replace(Some(sink)));
        // Fails only if a subscriber exists already, which `INSTALLED` excludes.
        let _ = tracing::subscriber::set_global_default(Console { level });
    }
}

thread_local! {
    static SINK: std::cell::RefCell<Option<Function>> = const { std::cell::RefCell::new(None) };
}

struct Console {
    level: LevelFilter,
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    // Spans are not shown; one number for all of them is enough.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().target().to_owned());
        event.record(&mut line);
        let level: u8 = match *event.metadata().level() {
            tracing::Level::ERROR => 1,
            tracing::Level::WARN => 2,
            tracing::Level::INFO => 3,
            tracing::Level::DEBUG => 4,
            tracing::Level::TRACE => 5,
        };
        let sink = SINK.with(|slot| slot.try_borrow().ok().and_then(|slot| slot.clone()));
        if let Some(sink) = sink {
            // A console that throws has nobody to complain to.
            let _ = sink.call2(&JsValue::NULL, &JsValue::from(level), &JsValue::from(line.0));
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string can't fail.
        let _ = match field.name() {
            "message" => write!(self.0, ": {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
