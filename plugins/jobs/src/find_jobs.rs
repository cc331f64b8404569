//! Finds jobs.

use ophost_sdk::serde_json::{Map, Value};
use ophost_sdk::{ReadCollection, Result, Stored, model, operation};

use crate::job::{Job, effective_user, filter_for_user};

/// The jobs to find.
#[model]
pub(crate) struct FindJobs {
    /// A MongoDB filter, such as `{"status": "new"}`. The default matches all jobs.
    #[serde(default)]
    filters: Map<String, Value>,
    /// The field to sort by, `-FIELD` for descending order. The default is `_id`.
    #[serde(default)]
    sort: Option<String>,
    /// The maximum number of jobs to return.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// Only jobs of this user. The default is the user of the run.
    #[serde(default)]
    user_id: Option<String>,
}

fn default_limit() -> usize {
    100
}

/// The matching jobs.
#[model]
pub(crate) struct JobsFound {
    /// The jobs in sort order.
    jobs: Vec<Stored<Job>>,
    /// The number of matching jobs, including jobs beyond the limit.
    total: u64,
}

/// Finds jobs.
#[operation(category = "database", tags = ["jobs", "find", "database"])]
pub(crate) fn find_jobs(input: FindJobs, jobs: ReadCollection<Job>) -> Result<JobsFound> {
    let filter = filter_for_user(effective_user(input.user_id).as_deref(), input.filters);
    let total = jobs.count(filter.clone())?;
    let sort = input.sort.as_deref().unwrap_or("_id");
    Ok(JobsFound { jobs: jobs.find(filter).sort(sort).limit(input.limit).all()?, total })
}

#[cfg(test)]
mod tests {
    use ophost_sdk::documents;
    use ophost_sdk::serde_json::{self, from_value, json};

    use super::*;

    fn seed(id: &str, title: &str, user_id: Option<&str>) {
        let job = json!({"title": title, "company": "ACME", "user_id": user_id});
        documents::memory().seed(id, &from_value::<Job>(job).unwrap());
    }

    /// Returns the titles of the returned jobs, and the total.
    fn found(input: &Value) -> (Vec<String>, u64) {
        seed("1", "Baker", Some("ann"));
        seed("2", "Smith", Some("ann"));
        seed("3", "Miller", Some("bob"));
        let output = find_jobs::OPERATION.invoke(&input.to_string()).unwrap();
        let found: JobsFound = serde_json::from_str(&output).unwrap();
        (found.jobs.into_iter().map(|job| job.value.title).collect(), found.total)
    }

    #[test]
    fn jobs_are_found_by_filter_and_user() {
        let smith = json!({"filters": {"title": {"$gte": "M"}}, "user_id": "ann"});
        assert_eq!(found(&smith), (vec!["Smith".to_owned()], 1));
        assert_eq!(found(&json!({})).1, 3);
    }

    #[test]
    fn jobs_are_sorted_and_the_total_ignores_the_limit() {
        let last = json!({"sort": "-title", "limit": 2});
        assert_eq!(found(&last), (vec!["Smith".to_owned(), "Miller".to_owned()], 3));
    }
}
