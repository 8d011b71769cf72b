//! What happens when Rust panics: the message reaches the facade before the trap does.

use std::cell::RefCell;

use js_sys::Function;
use wasm_bindgen::prelude::*;

thread_local! {
    static HANDLER: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Sets who is told of a panic. The instance is dead afterwards: the handler must call nothing
/// of it.
#[wasm_bindgen(js_name = setPanicHandler)]
pub fn set_panic_handler(
    #[wasm_bindgen(unchecked_param_type = "(message: string) => void")] handler: Function,
) {
    HANDLER.with(|slot| slot.replace(Some(handler)));
    std::panic::set_hook(Box::new(|info| {
        let message = info.to_string();
        let handler = HANDLER.with(|slot| slot.try_borrow().ok().and_then(|slot| slot.clone()));
        if let Some(handler) = handler {
            // Nothing is left that could be done about an exception.
            let _ = handler.call1(&JsValue::NULL, &JsValue::from(message));
        }
    }));
}
