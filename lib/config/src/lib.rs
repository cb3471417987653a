//! streamalert-config
