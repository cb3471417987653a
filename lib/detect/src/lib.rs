//! streamalert-detect
