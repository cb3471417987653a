//! streamalert-python
