//! streamalert-rules-node
