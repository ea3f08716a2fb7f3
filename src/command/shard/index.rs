//! Which of the shards this machine takes: as given, or as a batch system says in its environment.

use anyhow::Result;

use crate::cli::Shard;
use crate::error::Fault;

/// One of `count` shards, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) index: u32,
    pub(super) count: u32,
}

/// How a batch system numbers the tasks of an array.
struct Array {
    /// The variable with the task's number.
    task: &'static str,
    /// Those with the first task's number and with the step between numbers, if they can be other than 0 and 1.
    range: Option<(&'static str, &'static str)>,
    /// The one with the number of tasks.
    count: Option<&'static str>,
}

/// Slurm's job arrays, AWS Batch's array jobs, Kubernetes's indexed jobs.
const ARRAYS: [Array; 3] = [
    Array {
        task: "SLURM_ARRAY_TASK_ID",
        range: Some(("SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP")),
        count: Some("SLURM_ARRAY_TASK_COUNT"),
    },
    Array { task: "AWS_BATCH_JOB_ARRAY_INDEX", range: None, count: Some("AWS_BATCH_JOB_ARRAY_SIZE") },
    Array { task: "JOB_COMPLETION_INDEX", range: None, count: None },
];

/// The shard to take. Without one, everything is taken, with a warning if this is a task of an array.
///
/// # Errors
/// [`Fault::Usage`] for a shard that does not exist, and if the environment does not say enough.
pub(super) fn which(shard: Option<Shard>, env: impl Fn(&str) -> Option<String>) -> Result<Place> {
    let array = ARRAYS.iter().find(|array| env(array.task).is_some());
    let place = match (shard, array) {
        (None, array) => {
            if let Some(Array { task, .. }) = array {
                log::warn!(
                    "{task} is set, but this takes the whole list; --shard auto takes this task's part of it"
                );
            }
            Place { index: 0, count: 1 }
        }
        (Some(Shard::Given(index, count)), _) => Place { index, count },
        (Some(Shard::Auto(count)), Some(array)) => array.place(count, env)?,
        (Some(Shard::Auto(_)), None) => {
            let names = ARRAYS.map(|array| array.task).join(", ");
            let message = format!("--shard auto: none of {names} is set; give the shard like --shard 0/8");
            return Err(Fault::Usage.error(message));
        }
    };
    let Place { index, count } = place;
    match count.checked_sub(1) {
        Some(last) if index <= last => Ok(place),
        Some(last) => Err(Fault::Usage.error(format!(
            "there is no shard {index}/{count}: shards are counted from 0, and the last one is {last}/{count}"
        ))),
        None => {
            Err(Fault::Usage.error("there are no shards of 0; give the number of shards like --shard 0/8"))
        }
    }
}

impl Array {
    /// The shard of a task. With a given `count` the task's own number is the index, so that some tasks of an array can
    /// run again.
    fn place(&self, count: Option<u32>, env: impl Fn(&str) -> Option<String>) -> Result<Place> {
        let number = |name: &str| {
            let text = env(name).unwrap_or_default();
            text.parse::<u32>()
                .map_err(|_| Fault::Usage.error(format!("--shard auto: {name} is {text:?}, not a number")))
        };
        let task = number(self.task)?;
        if let Some(count) = count {
            return Ok(Place { index: task, count });
        }
        let Some(count) = self.count else {
            let message = format!("{} does not say how many there are; pass --shard auto/N", self.task);
            return Err(Fault::Usage.error(message));
        };
        let Some((first, step)) = self.range else { return Ok(Place { index: task, count: number(count)? }) };
        let step = if env(step).is_some() { number(step)?.max(1) } else { 1 };
        let first = number(first)?;
        let index = task.checked_sub(first).map_or(u32::MAX, |offset| offset / step);
        let place = Place { index, count: number(count)? };
        if index >= place.count {
            let message = format!(
                "task {task} is not among {} tasks from {first} on with a step of {step}; \
                 for an array with gaps pass --shard auto/N",
                place.count
            );
            return Err(Fault::Usage.error(message));
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(shard: Option<Shard>, variables: &[(&str, &str)]) -> Result<(u32, u32), String> {
        let env =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, text)| (*text).to_owned());
        which(shard, env).map(|place| (place.index, place.count)).map_err(|error| {
            assert_eq!(Fault::of(&error), Fault::Usage);
            error.to_string()
        })
    }

    const AUTO: Option<Shard> = Some(Shard::Auto(None));

    #[test]
    fn shards_come_from_the_arguments() {
        assert_eq!(found(None, &[]), Ok((0, 1)));
        assert_eq!(found(None, &[("SLURM_ARRAY_TASK_ID", "3")]), Ok((0, 1)));
        assert_eq!(found(Some(Shard::Given(2, 3)), &[("JOB_COMPLETION_INDEX", "0")]), Ok((2, 3)));
        assert!(found(Some(Shard::Given(3, 3)), &[]).unwrap_err().contains("the last one is 2/3"));
        assert!(found(Some(Shard::Given(0, 0)), &[]).unwrap_err().contains("no shards of 0"));
    }

    #[test]
    fn shards_come_from_batch_systems() {
        let slurm = |task, min, count| {
            vec![
                ("SLURM_ARRAY_TASK_ID", task),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_COUNT", count),
            ]
        };
        assert_eq!(found(AUTO, &slurm("5", "1", "8")), Ok((4, 8)));
        let stepped = [slurm("9", "1", "4"), vec![("SLURM_ARRAY_TASK_STEP", "4")]].concat();
        assert_eq!(found(AUTO, &stepped), Ok((2, 4)));
        assert!(found(AUTO, &slurm("7", "3", "2")).unwrap_err().contains("with gaps"));
        assert_eq!(found(Some(Shard::Auto(Some(8))), &slurm("7", "3", "2")), Ok((7, 8)));
        let aws = [("AWS_BATCH_JOB_ARRAY_INDEX", "2"), ("AWS_BATCH_JOB_ARRAY_SIZE", "3")];
        assert_eq!(found(AUTO, &aws), Ok((2, 3)));
        let kubernetes = [("JOB_COMPLETION_INDEX", "2")];
        assert_eq!(found(Some(Shard::Auto(Some(3))), &kubernetes), Ok((2, 3)));
        assert!(found(AUTO, &kubernetes).unwrap_err().contains("auto/N"));
        assert!(found(AUTO, &[]).unwrap_err().contains("none of SLURM_ARRAY_TASK_ID"));
        assert!(found(AUTO, &slurm("x", "0", "2")).unwrap_err().contains("not a number"));
    }
}
