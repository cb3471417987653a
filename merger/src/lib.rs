//! streamalert-merger
