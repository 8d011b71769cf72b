//! Natively everything may go to another thread.

/// `Send` natively; any type in a browser, where there is one thread.
pub trait MaybeSend: Send {}

impl<T: Send + ?Sized> MaybeSend for T {}

/// `Sync` natively; any type in a browser, where there is one thread.
pub trait MaybeSync: Sync {}

impl<T: Sync + ?Sized> MaybeSync for T {}
