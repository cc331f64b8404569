//! Finds jobs.

use ophost_sdk::serde_json::{Map, Value};
use ophost_sdk::{ReadCollection, Result, Stored, model, operation};

use crate::job::{Job, of_user, user};

/// Which jobs to find.
#[model]
pub(crate) struct FindJobs {
    /// What they have to be, in MongoDB's words, such as `{"status": "new"}`; all without it.
    #[serde(default)]
    filters: Map<String, Value>,
    /// The field to sort by; with a `-` before it the greatest comes first.
    #[serde(default)]
    sort: Option<String>,
    /// How many at most.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// Only jobs of this user.
    #[serde(default)]
    user_id: Option<String>,
}

fn hundred() -> usize {
    100
}

/// What was found.
#[model]
pub(crate) struct JobsFound {
    /// The jobs, in order.
    jobs: Vec<Stored<Job>>,
    /// How many there are, those beyond the limit included.
    total: u64,
}

/// Finds jobs.
#[operation(category = "database", tags = ["jobs", "find", "database"])]
pub(crate) fn find_jobs(input: FindJobs, jobs: ReadCollection<Job>) -> Result<JobsFound> {
    let filter = of_user(user(input.user_id).as_deref(), input.filters);
    let total = jobs.count(filter.clone())?;
    let sort = input.sort.as_deref().unwrap_or("_id");
    Ok(JobsFound { jobs: jobs.find(filter).sort(sort).limit(input.limit).all()?, total })
}

#[cfg(test)]
mod tests {
    use ophost_sdk::serde_json::{self, json};

    use super::*;
    use crate::job::seed;

    fn found(input: &Value) -> (Vec<String>, u64) {
        seed("1", "Baker", Some("ann"));
        seed("2", "Smith", Some("ann"));
        seed("3", "Miller", Some("bob"));
        let said = find_jobs::OPERATION.invoke(&input.to_string()).unwrap();
        let found: JobsFound = serde_json::from_str(&said).unwrap();
        (found.jobs.into_iter().map(|job| job.value.title).collect(), found.total)
    }

    #[test]
    fn jobs_are_found_by_what_they_are_and_whose() {
        let smith = json!({"filters": {"title": {"$gte": "M"}}, "user_id": "ann"});
        assert_eq!(found(&smith), (vec!["Smith".to_owned()], 1));
        assert_eq!(found(&json!({})).1, 3);
    }

    #[test]
    fn jobs_are_sorted_and_counted_beyond_the_limit() {
        let last = json!({"sort": "-title", "limit": 2});
        assert_eq!(found(&last), (vec!["Smith".to_owned(), "Miller".to_owned()], 3));
    }
}
