//! A browser's objects stay on their thread.

/// `Send` natively; any type in a browser, where there is one thread.
pub trait MaybeSend {}

impl<T: ?Sized> MaybeSend for T {}

/// `Sync` natively; any type in a browser, where there is one thread.
pub trait MaybeSync {}

impl<T: ?Sized> MaybeSync for T {}
