//! streamalert-service
