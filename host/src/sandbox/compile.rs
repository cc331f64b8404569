//! Compiles plugins to machine code in a child process.
//!
//! Compiling a component of 60 KB can take seconds and gigabytes, and cannot be interrupted.
//! [`Compiler::Child`] therefore starts a child process with resource limits of the operating
//! system. [`serve`] is the main function of that process.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;
use std::{env, thread};

use rustix::process::{Resource, Rlimit, Signal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use wasmtime::Engine;

use super::engine::{self, EngineOptions, Reservation, SandboxError, Threads};
use super::failure;
use super::interface::Interface;
use super::load::{self, LoadError};
use super::static_limits::{self, LimitExceeded};
use crate::model::compiler::CompilerBackend;
use crate::model::limits::{CompileBudget, CompileLimit, ExceededBudget};
use crate::util::os_error::{self, Shortage};

/// Subcommand of `ophost` that runs the compiler process.
pub const COMPILER_COMMAND: &str = "compile-component";
/// Maximum size of compiled code, in bytes. Compiled code is larger than wasm, but far below this.
pub(super) const MAX_CODE: u64 = 1 << 30;
/// Maximum size of a rejection reason, in bytes.
const MAX_REASON: usize = 64 << 10;
/// Maximum number of compiler threads. Each thread needs memory of its own.
const MAX_THREADS: usize = 4;
/// Exit code for a rejected file. The output is the reason.
const EXIT_REJECTED: u8 = 1;
/// Exit code if the compiler cannot run, for a cause other than the file. The output is the cause.
const EXIT_UNAVAILABLE: u8 = 2;
/// Exit code if the compiler is out of a resource. The output is a [`Shortage`].
const EXIT_SHORTAGE: u8 = 4;
/// Exit code if the output cannot be written.
const EXIT_WRITE_FAILED: u8 = 3;
/// Niceness of the compiler process: interactive processes have priority.
const NICENESS: i32 = 5;

/// Where plugins are compiled.
#[derive(Clone, Debug)]
pub(crate) enum Compiler {
    /// In this process, without limits.
    Here,
    /// In a child process: `program` with the subcommand [`COMPILER_COMMAND`] calls [`serve`].
    Child { program: PathBuf, budget: CompileBudget },
}

impl Compiler {
    /// Compiles a component, or a core module that can be converted to one.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError`] if the bytes are rejected or compilation exceeds the budget.
    pub(super) async fn compile(
        &self,
        engine: &Engine,
        options: EngineOptions,
        bytes: &[u8],
    ) -> Result<Vec<u8>, LoadError> {
        match self {
            Self::Here => compile(engine, bytes),
            Self::Child { program, budget } => {
                compile_in_child(command(program, *budget, options), *budget, bytes).await
            }
        }
    }
}

fn compile(engine: &Engine, bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    let component = load::componentize(bytes)?;
    static_limits::check(&component)?;
    Interface::read(&component).map_err(LimitExceeded::from)?.check()?;
    engine.precompile_component(&component).map_err(|error| match failure::shortage(&error) {
        Some(shortage) => LoadError::Shortage(shortage),
        None => LoadError::Invalid(format!("{error:#}")),
    })
}

async fn compile_in_child(
    mut command: Command,
    budget: CompileBudget,
    bytes: &[u8],
) -> Result<Vec<u8>, LoadError> {
    let child = command.spawn().map_err(|error| os_error::spawn_error(&error));
    let mut child = child.map_err(|error| unavailable(&error))?;
    match tokio::time::timeout(budget.wall_time(), exchange(&mut child, bytes)).await {
        Ok(exchanged) => {
            let (status, output) = exchanged.map_err(|error| unavailable(&error))?;
            interpret_exit(status, output, budget)
        }
        // Dropping the child kills the process.
        Err(_) => Err(exceeded(CompileLimit::WallTime, budget)),
    }
}

/// Returns the number of threads of a compiler process.
pub(super) fn threads() -> usize {
    thread::available_parallelism().map_or(1, |count| count.get().min(MAX_THREADS))
}

fn command(program: &PathBuf, budget: CompileBudget, options: EngineOptions) -> Command {
    let mut command = Command::new(program);
    command
        .arg(COMPILER_COMMAND)
        .arg(budget.memory.to_string())
        .arg(whole_seconds(budget.time).to_string())
        .arg((options.reservation == Reservation::Small).to_string())
        .arg(options.backend.as_str())
        .env_clear()
        // The address space is limited, and each thread and heap arena reserves a part of it.
        .env("RAYON_NUM_THREADS", threads().to_string())
        .env("MALLOC_ARENA_MAX", "2")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Returns the duration in seconds, rounded up.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

/// Sends the bytes to the child and waits for its output.
///
/// The child's stdin stays open until then. The child exits when its stdin is closed, so it does
/// not outlive this process.
async fn exchange(child: &mut Child, bytes: &[u8]) -> io::Result<(ExitStatus, Vec<u8>)> {
    let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    let stdout = child.stdout.take().ok_or_else(missing)?;
    let send = async {
        stdin.write_u64_le(bytes.len() as u64).await?;
        stdin.write_all(bytes).await?;
        stdin.flush().await
    };
    // If the child exited early, its exit status names the cause. The broken pipe does not.
    send.await.ok();
    let mut output = Vec::new();
    stdout.take(MAX_CODE).read_to_end(&mut output).await?;
    let status = child.wait().await?;
    drop(stdin);
    Ok((status, output))
}

/// Returns the compiled code, or the error that the exit status stands for.
fn interpret_exit(
    status: ExitStatus,
    output: Vec<u8>,
    budget: CompileBudget,
) -> Result<Vec<u8>, LoadError> {
    use std::os::unix::process::ExitStatusExt as _;
    if status.success() {
        return Ok(output);
    }
    let is = |signal: Signal| status.signal() == Some(signal.as_raw());
    let text = || String::from_utf8_lossy(&output).into_owned();
    Err(if status.code() == Some(EXIT_REJECTED.into()) && !output.is_empty() {
        LoadError::Rejected(text())
    } else if status.code() == Some(EXIT_UNAVAILABLE.into()) && !output.is_empty() {
        LoadError::Compiler(text())
    } else if status.code() == Some(EXIT_SHORTAGE.into()) {
        match Shortage::from_name(&text()) {
            Some(Shortage::Memory) | None => out_of_memory(budget),
            Some(shortage) => LoadError::Shortage(shortage),
        }
    } else if is(Signal::XCPU) {
        exceeded(CompileLimit::CpuTime, budget)
    } else if is(Signal::ABORT) {
        // Rust aborts when an allocation fails.
        out_of_memory(budget)
    } else {
        LoadError::Compiler(format!("the compiler process ended with {status}"))
    })
}

/// Returns the error of a compiler process that is out of memory.
///
/// The file exceeds the memory budget, unless the limit of this process is not above the budget.
/// In that case the limit is the cause.
fn out_of_memory(budget: CompileBudget) -> LoadError {
    let limit = rustix::process::getrlimit(Resource::As).current;
    if limit.is_some_and(|limit| limit <= budget.memory) {
        return LoadError::Shortage(Shortage::Memory);
    }
    exceeded(CompileLimit::Memory, budget)
}

fn exceeded(limit: CompileLimit, budget: CompileBudget) -> LoadError {
    LoadError::Budget(ExceededBudget { limit, budget })
}

fn unavailable(error: &io::Error) -> LoadError {
    Shortage::of(error).map_or_else(|| LoadError::Compiler(error.to_string()), LoadError::Shortage)
}

/// Runs the compiler process: compiles the plugin from stdin and writes the code to stdout.
///
/// `memory` limits the address space, in bytes. `seconds` limits the processor time. If `is_small`
/// is true, the code is for a process with a limited address space.
pub fn serve(memory: u64, seconds: u64, is_small: bool, backend: CompilerBackend) -> ExitCode {
    let reservation = if is_small { Reservation::Small } else { Reservation::Full };
    let options = EngineOptions { reservation, backend };
    let input = limit(memory, seconds).and_then(|()| read_input());
    let compiled = match input {
        Ok(bytes) => compile_in_new_engine(&bytes, options),
        Err(error) => Err(unavailable(&error)),
    };
    let (output, exit_code) = match compiled {
        Ok(code) => (code, ExitCode::SUCCESS),
        Err(LoadError::Compiler(reason)) => (reason.into_bytes(), EXIT_UNAVAILABLE.into()),
        Err(LoadError::Shortage(shortage)) => (shortage.as_str().into(), EXIT_SHORTAGE.into()),
        Err(error) => {
            let mut reason = error.to_string();
            reason.truncate(reason.floor_char_boundary(MAX_REASON));
            (reason.into_bytes(), EXIT_REJECTED.into())
        }
    };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&output).and_then(|()| stdout.flush()) {
        Ok(()) => exit_code,
        Err(_) => EXIT_WRITE_FAILED.into(),
    }
}

fn compile_in_new_engine(bytes: &[u8], options: EngineOptions) -> Result<Vec<u8>, LoadError> {
    // If rayon's pool does not exist yet and no thread can be started, the engine panics.
    let threads = match rayon::ThreadPoolBuilder::new().build_global() {
        Ok(()) => Threads::Several,
        Err(_) => Threads::One,
    };
    let engine = engine::new_engine(options, threads).map_err(|error| match error {
        SandboxError::Shortage(shortage) => LoadError::Shortage(shortage),
        error => LoadError::Compiler(error.to_string()),
    })?;
    compile(&engine, bytes)
}

/// Sets the resource limits of this process.
fn limit(memory: u64, seconds: u64) -> io::Result<()> {
    let set = |resource, wanted: u64| {
        // The parent process may have set a lower hard limit.
        let maximum = rustix::process::getrlimit(resource).maximum;
        let current = Some(maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        // Only the soft limit of processor time sends `SIGXCPU`, which names the cause, so the
        // hard limit stays.
        rustix::process::setrlimit(resource, Rlimit { current, maximum })
    };
    set(Resource::As, memory)?;
    set(Resource::Cpu, seconds)?;
    set(Resource::Core, 0)?;
    rustix::process::nice(NICENESS)?;
    Ok(())
}

/// Reads the plugin, and starts a thread that exits this process when stdin is closed, which
/// means that the parent process has ended.
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
            #[expect(clippy::exit, reason = "no process reads the result of the main thread")]
            std::process::exit(i32::from(EXIT_REJECTED));
        }
    })?;
    Ok(bytes)
}

/// Returns the path of this program, for use as the compiler. The program must be `ophost`, or
/// call [`serve`] for the subcommand [`COMPILER_COMMAND`].
pub fn this_program() -> io::Result<PathBuf> {
    env::current_exe()
}
