//! Compiling: from a plugin's bytes to machine code, where it can do no harm.
//!
//! A component of 60 KB can keep a compiler busy for seconds and fill gigabytes, and
//! compiling cannot be interrupted. So it happens in a process of its own, under limits of
//! the system: [`Compiler::Child`] starts one, [`serve`] is what it does.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::{env, thread};

use rustix::process::{Resource, Rlimit, Signal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use wasmtime::Engine;

use super::engine::{self, Reservation, SandboxError, Threads};
use super::failure;
use super::load::{self, LoadError};
use super::static_limits;
use crate::model::limits::{Amount, CompileBudget};
use crate::util::os_error::{self, Shortage};

/// The word that makes the `ophost` command a compiler.
pub const COMPILER_COMMAND: &str = "compile-component";
/// Machine code is larger than wasm, but not by so much.
pub(super) const MAX_CODE: u64 = 1 << 30;
/// The most that a compiler says about a file that it refuses, in bytes.
const MAX_REASON: usize = 64 << 10;
/// The compiler's threads; each takes memory of its own.
const MAX_THREADS: usize = 4;
/// The exit code of a compiler that refuses a file for what is in it.
const REFUSED: u8 = 1;
/// The exit code of a compiler that cannot do its work here and now.
const EXIT_UNAVAILABLE: u8 = 2;
/// The exit code of a compiler that ran out of something, whose answer is a [`Shortage`].
const SHORT: u8 = 4;
/// The exit code of a compiler that cannot pass on its answer.
const EXIT_WRITE_FAILED: u8 = 3;
/// Lets whoever waits for the machine go first.
const NICENESS: i32 = 5;

/// Where plugins are compiled.
#[derive(Clone, Debug)]
pub(crate) enum Compiler {
    /// In this process, without limits.
    Here,
    /// In a child: this program, which calls [`serve`] when it is told so.
    Child { program: PathBuf, budget: CompileBudget },
}

impl Compiler {
    /// Returns the machine code of a component, or of a core module that can be made one.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError`] if the bytes are refused, or use up the budget.
    pub(super) async fn compile(
        &self,
        (engine, reservation): (&Engine, Reservation),
        bytes: &[u8],
    ) -> Result<Vec<u8>, LoadError> {
        match self {
            Self::Here => compile(engine, bytes),
            Self::Child { program, budget } => {
                in_child(command(program, *budget, reservation), *budget, bytes).await
            }
        }
    }
}

fn compile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    let component = load::componentize(bytes)?;
    static_limits::check(&component)?;
    engine.precompile_component(&component).map_err(|error| match failure::shortage(&error) {
        Some(shortage) => LoadError::Shortage(shortage),
        None => LoadError::Invalid(format!("{error:#}")),
    })
}

async fn in_child(
    mut command: Command,
    budget: CompileBudget,
    bytes: &[u8],
) -> Result<Vec<u8>, LoadError> {
    let child = command.spawn().map_err(|error| os_error::not_started(&error));
    let mut child = child.map_err(|error| no_compiler(&error))?;
    match tokio::time::timeout(budget.time, exchange(&mut child, bytes)).await {
        Ok(answer) => {
            let (status, answer) = answer.map_err(|error| no_compiler(&error))?;
            judge(status, answer, budget)
        }
        // Dropping the child kills it.
        Err(_) => Err(LoadError::Budget { what: "time", most: Amount::Time(budget.time) }),
    }
}

fn command(program: &PathBuf, budget: CompileBudget, reservation: Reservation) -> Command {
    let threads = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_THREADS));
    let mut command = Command::new(program);
    command
        .arg(COMPILER_COMMAND)
        .arg(budget.memory.to_string())
        .arg(budget.time.as_secs().saturating_add(1).saturating_mul(threads as u64).to_string())
        .arg((reservation == Reservation::Small).to_string())
        .env_clear()
        // Address space is limited: a thread's heap reserves some of it.
        .env("RAYON_NUM_THREADS", threads.to_string())
        .env("MALLOC_ARENA_MAX", "2")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Passes the bytes and waits for the answer. The child's stdin stays open until then: it
/// ends when this process does.
async fn exchange(child: &mut Child, bytes: &[u8]) -> io::Result<(ExitStatus, Vec<u8>)> {
    let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let sent = async {
        stdin.write_u64_le(bytes.len() as u64).await?;
        stdin.write_all(bytes).await?;
        stdin.flush().await
    };
    // A child that ended early says more by its status than by the broken pipe.
    sent.await.ok();
    let mut answer = Vec::new();
    stdout.take(MAX_CODE).read_to_end(&mut answer).await?;
    let status = child.wait().await?;
    drop(stdin);
    Ok((status, answer))
}

fn judge(status: ExitStatus, answer: Vec<u8>, budget: CompileBudget) -> Result<Vec<u8>, LoadError> {
    use std::os::unix::process::ExitStatusExt as _;
    if status.success() {
        return Ok(answer);
    }
    let is = |signal: Signal| status.signal() == Some(signal.as_raw());
    let words = || String::from_utf8_lossy(&answer).into_owned();
    Err(if status.code() == Some(REFUSED.into()) && !answer.is_empty() {
        LoadError::Refused(words())
    } else if status.code() == Some(EXIT_UNAVAILABLE.into()) && !answer.is_empty() {
        LoadError::Compiler(words())
    } else if status.code() == Some(SHORT.into()) {
        match Shortage::from_word(&words()) {
            Some(Shortage::Memory) | None => out_of_memory(budget),
            Some(shortage) => LoadError::Shortage(shortage),
        }
    } else if is(Signal::XCPU) {
        LoadError::Budget { what: "time", most: Amount::Time(budget.time) }
    } else if is(Signal::ABORT) {
        // Rust ends so when it gets no memory.
        out_of_memory(budget)
    } else {
        LoadError::Compiler(format!("the compiler ended with {status}"))
    })
}

/// Returns the error of a compiler without memory: the file needs more than its budget, unless
/// this process may not use as much as that itself.
fn out_of_memory(budget: CompileBudget) -> LoadError {
    let allowed = rustix::process::getrlimit(Resource::As).current;
    if allowed.is_some_and(|allowed| allowed <= budget.memory) {
        return LoadError::Shortage(Shortage::Memory);
    }
    LoadError::Budget { what: "memory", most: Amount::Bytes(budget.memory) }
}

fn no_compiler(error: &io::Error) -> LoadError {
    Shortage::of(error).map_or_else(|| LoadError::Compiler(error.to_string()), LoadError::Shortage)
}

/// Compiles what comes by stdin and writes it to stdout, under the given limits: bytes of
/// address space, seconds of processor time. The code is for a process with a limited address
/// space if `is_small`. This is the whole life of a child process.
pub fn serve(memory: u64, seconds: u64, is_small: bool) -> ExitCode {
    let reservation = if is_small { Reservation::Small } else { Reservation::Full };
    let answer = limit(memory, seconds).and_then(|()| read_input());
    let compiled = match answer {
        Ok(bytes) => compile_alone(&bytes, reservation),
        Err(error) => Err(no_compiler(&error)),
    };
    let (answer, code) = match compiled {
        Ok(code) => (code, ExitCode::SUCCESS),
        Err(LoadError::Compiler(reason)) => (reason.into_bytes(), EXIT_UNAVAILABLE.into()),
        Err(LoadError::Shortage(shortage)) => (shortage.as_str().into(), SHORT.into()),
        Err(error) => {
            let mut reason = error.to_string();
            reason.truncate(reason.floor_char_boundary(MAX_REASON));
            (reason.into_bytes(), REFUSED.into())
        }
    };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&answer).and_then(|()| stdout.flush()) {
        Ok(()) => code,
        Err(_) => EXIT_WRITE_FAILED.into(),
    }
}

fn compile_alone(bytes: &[u8], reservation: Reservation) -> Result<Vec<u8>, LoadError> {
    // Without this the engine would panic where no thread can be started.
    let threads = match rayon::ThreadPoolBuilder::new().build_global() {
        Ok(()) => Threads::Several,
        Err(_) => Threads::One,
    };
    let engine = engine::new_engine(reservation, threads).map_err(|error| match error {
        SandboxError::Shortage(shortage) => LoadError::Shortage(shortage),
        error => LoadError::Compiler(error.to_string()),
    })?;
    compile(&engine, bytes)
}

fn limit(memory: u64, seconds: u64) -> io::Result<()> {
    let set = |resource, wanted: u64| {
        // Whoever started us may have allowed less.
        let maximum = rustix::process::getrlimit(resource).maximum;
        let most = Some(maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        // Only above the soft limit, and below the hard one, there is a signal that says why.
        rustix::process::setrlimit(resource, Rlimit { current: most, maximum })
    };
    set(Resource::As, memory)?;
    set(Resource::Cpu, seconds)?;
    set(Resource::Core, 0)?;
    rustix::process::nice(NICENESS)?;
    Ok(())
}

/// Reads the bytes, and from then on waits for the end of the pipe, which is the end of
/// whoever wanted the answer.
fn read_input() -> io::Result<Vec<u8>> {
    let mut stdin = io::stdin();
    let mut length = [0; 8];
    stdin.read_exact(&mut length)?;
    let mut bytes = Vec::new();
    let length = u64::from_le_bytes(length);
    if stdin.by_ref().take(length).read_to_end(&mut bytes)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    os_error::spawn("parent", move || {
        if stdin.read(&mut [0]).is_ok() {
            #[expect(clippy::exit, reason = "nobody waits for what the main thread does")]
            std::process::exit(i32::from(REFUSED));
        }
    })?;
    Ok(bytes)
}

/// Returns this program, for use as the compiler: it has to be `ophost`, or end up in
/// [`serve`] as that does.
pub fn this_program() -> io::Result<PathBuf> {
    env::current_exe()
}
