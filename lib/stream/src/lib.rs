//! streamalert-stream
