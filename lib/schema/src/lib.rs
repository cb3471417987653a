//! streamalert-schema
