use crate::obj::Obj;

#[test]
fn an_object_takes_three_words() {
    assert_eq!(size_of::<Obj<'_>>(), 24);
    assert!(size_of::<crate::cx::R<'_>>() <= 32);
}
