//! facemark
