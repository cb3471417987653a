//! streamalert-dispatcher
