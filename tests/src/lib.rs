//! streamalert-tests
