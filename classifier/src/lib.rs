//! streamalert-classifier
