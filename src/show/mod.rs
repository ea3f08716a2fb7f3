//! What people see while a run goes on: the window, the page.

pub mod page;
pub mod window;
