//! Kinds of the group batch: jobs, and what starts them by the clock.

pub(super) mod cron_job;
mod failure_policy;
mod indexes;
pub(super) mod job;
mod job_status;
mod job_update;
mod schedule;
