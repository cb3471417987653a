use super::*;

const LATER: ChangeTime = (i64::MAX, 0);

fn observed(kind: ReadKind, path: &Path) -> Observed {
    Observed {
        reads: vec![(kind, path.to_owned())],
        environment: vec!["PATH".into(), "STREAMALERT_NOT_SET".into()],
        reasons: Vec::new(),
    }
}

#[test]
fn a_file_holds_until_its_bytes_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    std::fs::write(&path, "1").unwrap();
    let taken = Dependencies::take(&observed(ReadKind::File, &path), LATER).unwrap();
    assert!(taken.hold());
    std::fs::write(&path, "2").unwrap();
    assert!(!taken.hold());
    std::fs::write(&path, "1").unwrap();
    assert!(taken.hold());
    std::fs::remove_file(&path).unwrap();
    assert!(!taken.hold());
    std::fs::create_dir(&path).unwrap();
    assert!(!taken.hold());
}

#[test]
fn a_file_that_changed_since_loading_began_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    std::fs::write(&path, "1").unwrap();
    let (secs, nanos) = change_time(&path).unwrap();
    let refused = |began| Dependencies::take(&observed(ReadKind::File, &path), began).unwrap_err();
    assert!(refused((secs, nanos)).ends_with("changed while it was loaded"));
    assert!(refused((secs - 1, nanos)).ends_with("changed while it was loaded"));
    assert!(Dependencies::take(&observed(ReadKind::File, &path), (secs + 1, 0)).is_ok());
}

#[test]
fn what_is_neither_file_nor_folder_is_refused_without_being_opened() {
    let taken = Dependencies::take(&observed(ReadKind::File, Path::new("/dev/zero")), LATER);
    assert_eq!(taken.unwrap_err(), "/dev/zero cannot be compared");
}

#[test]
fn of_a_folder_on_the_path_only_what_imports_find_counts() {
    let dir = tempfile::tempdir().unwrap();
    let take = |kind| Dependencies::take(&observed(kind, dir.path()), LATER).unwrap();
    let (names, modules) = (take(ReadKind::Names), take(ReadKind::Modules));
    std::fs::create_dir(dir.path().join("__pycache__")).unwrap();
    assert!(names.hold() && modules.hold());
    std::fs::write(dir.path().join("README"), "").unwrap();
    assert!(!names.hold() && modules.hold());
    std::fs::write(dir.path().join("more.pth"), "a").unwrap();
    assert!(!modules.hold());
    let modules = take(ReadKind::Modules);
    std::fs::write(dir.path().join("more.pth"), "b").unwrap();
    assert!(!modules.hold(), "paths in it lead elsewhere");
    let modules = take(ReadKind::Modules);
    std::fs::create_dir(dir.path().join("package")).unwrap();
    assert!(!modules.hold());
}

#[test]
fn a_variable_holds_while_its_value_is_the_same() {
    let mut taken = Dependencies::take(&observed(ReadKind::File, Path::new("/not/there")), LATER).unwrap();
    assert!(taken.hold());
    taken.environment[1].1 = variable("PATH");
    assert!(!taken.hold(), "one that is not set now was set");
}

#[test]
fn an_entry_survives_its_file_and_no_byte_of_it_may_change() {
    let entry = Entry {
        dependencies: Dependencies::take(&Observed::default(), LATER).unwrap(),
        loaded: Bytes::from_static(b"loaded"),
        json: Bytes::from_static(b"json"),
    };
    let file = entry.encode().unwrap();
    let back = Entry::decode(&Bytes::from(file.clone())).unwrap();
    assert_eq!((&back.loaded[..], &back.json[..]), (&b"loaded"[..], &b"json"[..]));
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        assert!(Entry::decode(&Bytes::from(damaged)).is_none(), "byte {at}");
        assert!(
            Entry::decode(&Bytes::copy_from_slice(&file[..at])).is_none(),
            "{at} bytes"
        );
    }
}
