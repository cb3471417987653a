//! streamalert-store
