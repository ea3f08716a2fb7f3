//! What people see: the overlay, the window, the page.

pub mod draw;
pub mod page;
pub mod view;
pub mod window;
