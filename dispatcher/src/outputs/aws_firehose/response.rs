use crate::DeliveryOptions;

/// A directory fails like a file does.
pub(super) fn delivery_options() -> DeliveryOptions {
    (super::super::file::SERVICE.delivery)()
}
