"""Extracts the skills that a posting names."""

import re
from dataclasses import dataclass

# Skills whose name is their usual form.
_SKILLS = (
    ".NET, Agile, Airflow, Angular, Ansible, AWS, Azure, Bash, BigQuery, C#, C++, CI/CD, "
    "Computer Vision, CSS, Data Analysis, dbt, Deep Learning, Django, Docker, Elasticsearch, "
    "Excel, FastAPI, Figma, Flask, Git, Go, Google Analytics, Google Cloud, Grafana, GraphQL, "
    "HTML, Java, JavaScript, Jenkins, Jira, Kafka, Kanban, Kotlin, Kubernetes, Linux, Looker, "
    "Machine Learning, Microservices, MongoDB, MySQL, Next.js, NLP, Node.js, Pandas, Photoshop, "
    "PHP, PostgreSQL, Power BI, Prometheus, Python, PyTorch, R, React, Redis, REST, Ruby, Rust, "
    "Salesforce, SAP, Scala, Scrum, Snowflake, Spark, Spring Boot, SQL, Swift, Tableau, "
    "TensorFlow, Terraform, TypeScript"
)

# Names in lower case, and the skill.
_NAMES = {
    **{skill.lower(): skill for skill in _SKILLS.split(", ")},
    "amazon web": "AWS",
    "data modeling": "Data Modelling",
    "data modelling": "Data Modelling",
    "gcp": "Google Cloud",
    "golang": "Go",
    "html5": "HTML",
    "js": "JavaScript",
    "k8s": "Kubernetes",
    "node": "Node.js",
    "nodejs": "Node.js",
    "postgres": "PostgreSQL",
    "rails": "Ruby on Rails",
    "react.js": "React",
}

# Names that are also common words. They count in their exact case, and only in an enumeration or
# before a cue.
_AMBIGUOUS = {"Excel", "Go", "Node", "R", "REST", "Rust", "Spark", "Swift"}
_AMBIGUOUS_LOWER = {name.lower() for name in _AMBIGUOUS}
_CUES = set("api apis developer engineer entwickler programming services".split())

_SEPARATORS = ",;/|():\u2022"


@dataclass(frozen=True)
class _Word:
    text: str
    # Whether a separator of an enumeration is directly before or after the word.
    is_after_separator: bool
    is_before_separator: bool


def extract(text: str) -> list[str]:
    """Returns the skills in a text, sorted and without duplicates."""
    words = _words(text)
    skills = (_skill(words[index : index + 2]) for index in range(len(words)))
    return sorted({skill for skill in skills if skill})


def _skill(words: list[_Word]) -> str | None:
    """Returns the skill whose name is at the start. A name of two words takes precedence."""
    for count in range(len(words), 0, -1):
        name = " ".join(word.text.lower() for word in words[:count])
        if name in _NAMES:
            return _NAMES[name] if _is_meant(words) else None
    return None


def _is_meant(words: list[_Word]) -> bool:
    """Returns whether the first word is a skill, for a name that is also a common word."""
    first = words[0]
    if first.text.lower() not in _AMBIGUOUS_LOWER:
        return True
    has_cue = len(words) > 1 and words[1].text.lower() in _CUES
    in_list = first.is_after_separator or first.is_before_separator
    return first.text in _AMBIGUOUS and (in_list or has_cue)


def _words(text: str) -> list[_Word]:
    """Splits a text into words. A word can contain the characters of `C++` and `CI/CD`."""
    words = []
    is_after = False
    for piece in text.split():
        separators = _SEPARATORS.replace("/", "") if "ci/cd" in piece.lower() else _SEPARATORS
        for part in re.findall(f"[^{re.escape(separators)}]*[{re.escape(separators)}]|.+$", piece):
            word = re.sub(r"^[^\w+#.]+|[^\w+#.]+$", "", part).strip("_").rstrip(".")
            ends = part[-1] in separators
            if word:
                words.append(_Word(word, is_after, ends or part.endswith(".")))
            is_after = ends
    return words
