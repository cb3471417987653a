use std::path::Path;

use crate::failure::Failure;

/// Writes the stubs of the `streamalert` package below a folder; what is there of them is replaced.
pub(crate) fn run(dir: &Path) -> Result<(), Failure> {
    for (path, text) in streamalert_python::stubs() {
        let file = dir.join(path);
        let cannot = |error| Failure::while_doing(&format!("cannot write {}", file.display()), error);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(cannot)?;
        }
        std::fs::write(&file, text).map_err(cannot)?;
    }
    println!(
        "wrote {} files below {}",
        streamalert_python::stubs().len(),
        dir.display()
    );
    println!(
        "\nVS Code and Pyright find {} by themselves; for mypy set mypy_path = {}",
        dir.display(),
        dir.display()
    );
    Ok(())
}
