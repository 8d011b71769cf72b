//! Room in memory before it is needed.

/// What the engine takes for a block with its neighbours in lists, roughly.
const BLOCK_BYTES: usize = 256;

/// Updates of fewer blocks need no preparation.
const FEW_BLOCKS: usize = 256;

/// Sees to it that an update of so many blocks and bytes finds room.
pub(crate) fn reserve_for(blocks: usize, bytes: usize) {
    if blocks >= FEW_BLOCKS {
        reserve(blocks.saturating_mul(BLOCK_BYTES).saturating_add(bytes));
    }
}

/// Has the allocator ask for memory once, in WebAssembly: it grows by a page of 64 KiB at a time else,
/// and every growth detaches the views that JavaScript has of the memory.
///
/// What can't be had isn't missed here, and nothing is kept from others.
pub fn reserve(bytes: usize) {
    if cfg!(target_family = "wasm") {
        let mut room = Vec::<u8>::new();
        let _ = room.try_reserve_exact(bytes);
        // Or else the compiler sees that nothing is done with it.
        std::hint::black_box(&room);
    }
}
