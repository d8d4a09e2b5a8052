//! Every promise a watch makes, each with a test of its name, while writers are at work: a history made by several
//! writers at once is compared with what each watcher was told.

mod history;
mod initial_events;
mod load;
mod slow;
mod transitions;
