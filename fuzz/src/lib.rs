//! What the fuzz targets share: bytes as choices, and the stack that rules have in production.

pub mod random;
pub mod stack;
