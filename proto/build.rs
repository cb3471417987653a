//! Compiles `streamalert/v1/*.proto` without protoc.

use std::error::Error;

const FILES: [&str; 5] = [
    "streamalert/v1/flow.proto",
    "streamalert/v1/rules_node.proto",
    "streamalert/v1/merger.proto",
    "streamalert/v1/dispatcher.proto",
    "streamalert/v1/admin.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    tonic_prost_build::configure()
        .bytes(".streamalert.v1")
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    Ok(())
}
