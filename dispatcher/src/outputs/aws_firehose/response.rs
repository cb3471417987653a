use crate::{DeliveryOptions, FileOutput};

/// A directory fails like a file does.
pub(super) fn delivery_options() -> DeliveryOptions {
    FileOutput::delivery_options()
}
