//! streamalert-testkit
