//! One QEMU from start to end: its streams are carried, its control channel is read, it never
//! outlives us.

use crate::runner::bell::Bell;
use crate::runner::control::{self, Event, Line};
use crate::runner::qemu::{self, Config};
use crate::runner::recorder::Recorder;
use crate::runner::stdio::{self, Input, Pumped};
use crate::strace::Tracer;
use crate::sys::{self, RawTerminal};
use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::{Handle, Signals};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where the program's standard output and standard error go.
#[derive(Debug, Clone)]
pub enum Output {
    /// To ours.
    Inherit,
    /// Nowhere.
    Discard,
    /// Standard output to this buffer, standard error to ours.
    Keep(Buffer),
}

/// Bytes that a session collects and its caller reads afterwards.
#[derive(Debug, Clone, Default)]
pub struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    /// What has been collected; the buffer is empty afterwards.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Buffer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a session's streams are connected to, and how long it may take.
pub struct Plumbing {
    /// Standard input.
    pub input: Input,
    /// Standard output and standard error.
    pub output: Output,
    /// Time limit.
    pub timeout: Option<Duration>,
    /// Where the profile goes, if the kernel is to write one.
    pub profile: Option<Recorder>,
    /// What reads the debug events, if the kernel is to send any.
    pub events: Option<Tracer>,
}

/// How a session ended.
#[derive(Debug)]
pub enum End {
    /// The program ended with this exit code.
    Exit(u8),
    /// QEMU ended without a word from the kernel: its status and what it printed.
    Lost(ExitStatus, String),
    /// The time limit ran out.
    Timeout,
    /// We were told to stop by this signal (or by Ctrl-C twice: `SIGINT`).
    Signal(i32),
    /// The reader of our standard output has gone.
    BrokenPipe,
}

/// What the threads tell the supervisor.
enum Message {
    Line(Line, Instant),
    ControlClosed,
    ErrorsClosed,
    Output(Pumped),
    Signal(i32),
}

/// How long QEMU may take to end after the program has, and how long we wait for streams to close
/// after QEMU was killed.
const GRACE: Duration = Duration::from_secs(3);
/// Output may lie this long in a pipe (bytes) before QEMU notices.
const PIPE_SIZE: i32 = 1 << 20;

/// Runs QEMU to its end. `see` gets every line of the control channel and when it arrived;
/// `config.streams`, `config.profile` and `config.events` are filled in here.
pub fn run(
    qemu: &Path,
    mut config: Config,
    plumbing: Plumbing,
    see: &mut dyn FnMut(Line, Instant),
) -> Result<End> {
    let (errors, errors_far) = UnixStream::pair().context("cannot make a socket")?;
    let (control, control_far) = UnixStream::pair().context("cannot make a socket")?;
    let (profile, profile_far) = UnixStream::pair().context("cannot make a socket")?;
    let (events, events_far) = UnixStream::pair().context("cannot make a socket")?;
    let (bell, bell_far) = UnixStream::pair().context("cannot make a socket")?;
    let Plumbing { input, output, .. } = plumbing;
    config.streams = (errors_far.as_raw_fd(), control_far.as_raw_fd());
    let profiled = plumbing.profile.is_some();
    config.profile = profiled.then_some((profile_far.as_raw_fd(), bell_far.as_raw_fd()));
    config.events = plumbing.events.as_ref().map(|_| events_far.as_raw_fd());
    let mut child = spawn(qemu, &config)?;
    drop((errors_far, control_far, profile_far, events_far, bell_far));
    let recording = plumbing.profile.map(|recorder| recorder.start(profile));
    let tracing = plumbing.events.map(|tracer| tracer.start(events));
    let (sender, receiver) = channel();
    let signals = watch_signals(sender.clone(), profiled)?;
    let complaints = collect(child.stderr.take());
    carry_output(&mut child, &output, sender.clone())?;
    let errors = Arc::new(Errors::new(errors, &output).context("cannot set up a socket")?);
    carry_errors(Arc::clone(&errors), sender.clone());
    // Where QEMU's input ends, it drops what its port writes: hold it open to the last.
    let stdin = child.stdin.take();
    let held = stdin.as_ref().map(|pipe| pipe.as_fd().try_clone_to_owned());
    let raw = carry_input(stdin, input, sender.clone());
    read_control(control, errors, sender);
    let mut session = Supervisor::new(child, plumbing.timeout, Bell::new(bell)?);
    session.supervise(&receiver, see);
    signals.close();
    drop((raw, held));
    let end = session.finish(complaints)?;
    if let Some(recording) = recording {
        recording.finish(&end)?;
    }
    if let Some(tracing) = tracing {
        tracing.finish(&end)?;
    }
    Ok(end)
}

fn spawn(qemu: &Path, config: &Config) -> Result<Child> {
    let mut command = Command::new(qemu);
    command.args(qemu::arguments(config)).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // Its own process group: Ctrl-C is ours to handle.
    command.process_group(0);
    let streams = [config.streams.0, config.streams.1];
    let profile = config.profile.map(|(out, bell)| [out, bell]);
    let more = profile.into_iter().flatten().chain(config.events);
    let keep: Vec<_> = streams.into_iter().chain(more).collect();
    sys::tie_to_parent(&mut command, &keep);
    command
        .spawn()
        .with_context(|| format!("cannot start {}", qemu.display()))
}

/// Where nothing is profiled, SIGUSR1 stays what it is.
fn watch_signals(sender: Sender<Message>, profiled: bool) -> Result<Handle> {
    let watched = [SIGINT, SIGTERM, SIGHUP].into_iter();
    let mut signals = Signals::new(watched.chain(profiled.then_some(SIGUSR1)))
        .context("cannot handle signals")?;
    let handle = signals.handle();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let _ = sender.send(Message::Signal(signal));
        }
    });
    Ok(handle)
}

/// Reads what QEMU itself has to say.
fn collect(stderr: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = stderr.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    })
}

fn carry_output(child: &mut Child, output: &Output, sender: Sender<Message>) -> Result<()> {
    let from = child.stdout.take().context("QEMU has no output")?;
    sys::enlarge_pipe(&from, PIPE_SIZE);
    let to: Box<dyn Write + Send> = match output {
        Output::Inherit => stdio::unbuffered_stdout().context("cannot use standard output")?,
        Output::Discard => Box::new(io::sink()),
        Output::Keep(buffer) => Box::new(buffer.clone()),
    };
    let qemu = child.id();
    std::thread::spawn(move || {
        let _ = sender.send(Message::Output(stdio::pump(from, to, qemu)));
    });
    Ok(())
}

/// The program's standard error on its way to ours.
struct Errors {
    /// In non-blocking mode. Locked while bytes are on their way.
    from: Mutex<UnixStream>,
    /// The same for waiting, without the lock.
    signal: UnixStream,
    shown: bool,
}

impl Errors {
    fn new(from: UnixStream, output: &Output) -> io::Result<Self> {
        from.set_nonblocking(true)?;
        Ok(Self {
            signal: from.try_clone()?,
            from: Mutex::new(from),
            shown: !matches!(output, Output::Discard),
        })
    }

    /// Passes on what has arrived; false at the end.
    fn drain(&self) -> bool {
        let mut from = self.from.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; 16 * 1024];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return false,
                // If our standard error is closed the guest must still not wait for it.
                Ok(count) if self.shown => {
                    _ = io::stderr().write_all(&buffer[..count]);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }
}

fn carry_errors(errors: Arc<Errors>, sender: Sender<Message>) {
    std::thread::spawn(move || {
        while errors.drain() {
            sys::wait_readable(&errors.signal);
        }
        let _ = sender.send(Message::ErrorsClosed);
    });
}

/// Starts forwarding our standard input; a terminal is raw until the result is dropped.
fn carry_input(
    to: Option<ChildStdin>,
    input: Input,
    sender: Sender<Message>,
) -> Option<RawTerminal> {
    let to = to.filter(|_| matches!(input, Input::Tty | Input::Pipe))?;
    let raw = (input == Input::Tty)
        .then(RawTerminal::enter)
        .and_then(Result::ok);
    std::thread::spawn(move || {
        let from = io::stdin().lock();
        // An error means that one side has gone, which the other threads report.
        let _ = match input {
            Input::Tty => stdio::forward_keys(from, to, || {
                let _ = sender.send(Message::Signal(SIGINT));
            }),
            _ => stdio::forward_pipe(from, to),
        };
    });
    raw
}

/// Reads the control channel. Before a line is passed on, what the program wrote to its standard
/// error earlier is printed, so that the kernel's words do not land in the middle of the program's.
fn read_control(control: UnixStream, errors: Arc<Errors>, sender: Sender<Message>) {
    std::thread::spawn(move || {
        let mut control = BufReader::new(control);
        let mut line = Vec::new();
        while control
            .read_until(b'\n', &mut line)
            .is_ok_and(|count| count > 0)
        {
            let arrival = Instant::now();
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            errors.drain();
            let _ = sender.send(Message::Line(control::parse(text), arrival));
            line.clear();
        }
        let _ = sender.send(Message::ControlClosed);
    });
}

/// Waits for the session to end, or ends it.
struct Supervisor {
    child: Child,
    bell: Bell,
    deadline: Option<Instant>,
    /// The exit code the kernel has reported.
    code: Option<u8>,
    /// Why we ended the session, if we did.
    forced: Option<End>,
    /// When to kill QEMU, or, if it was killed, when to stop waiting for the streams.
    patience: Option<Instant>,
    open_streams: u32,
}

impl Supervisor {
    fn new(child: Child, timeout: Option<Duration>, bell: Bell) -> Self {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        Self {
            child,
            bell,
            deadline,
            code: None,
            forced: None,
            patience: None,
            open_streams: 3,
        }
    }

    fn supervise(&mut self, messages: &Receiver<Message>, see: &mut dyn FnMut(Line, Instant)) {
        while self.open_streams > 0 {
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) && self.code.is_none() {
                self.deadline = None;
                self.force(End::Timeout);
            }
            if self.patience.is_some_and(|patience| patience <= now) {
                if self.forced.is_some() {
                    return;
                }
                // The program has ended but QEMU lingers.
                self.patience = None;
                let _ = self.child.kill();
            }
            let wait = [self.deadline, self.patience].into_iter().flatten().min();
            let wait = wait.map_or(Duration::from_secs(3600), |at| {
                at.saturating_duration_since(now)
            });
            match messages.recv_timeout(wait.max(Duration::from_millis(1))) {
                Ok(message) => self.handle(message, see),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn handle(&mut self, message: Message, see: &mut dyn FnMut(Line, Instant)) {
        match message {
            Message::Line(line, at) => {
                if let Line::Event(Event::Exit { code }, _) = &line {
                    self.code = Some(*code);
                    self.deadline = None;
                    self.patience.get_or_insert(Instant::now() + GRACE);
                }
                see(line, at);
            }
            Message::ControlClosed | Message::ErrorsClosed | Message::Output(Pumped::All) => {
                self.open_streams -= 1;
            }
            Message::Output(Pumped::Broken) => {
                self.open_streams -= 1;
                self.force(End::BrokenPipe);
            }
            Message::Signal(SIGUSR1) => self.bell.ring(),
            Message::Signal(signal) => self.force(End::Signal(signal)),
        }
    }

    fn force(&mut self, end: End) {
        self.forced.get_or_insert(end);
        let _ = self.child.kill();
        self.patience = Some(Instant::now() + GRACE);
    }

    fn finish(mut self, complaints: JoinHandle<String>) -> Result<End> {
        let status = self.child.wait().context("cannot wait for QEMU")?;
        let complaints = complaints.join().unwrap_or_default();
        Ok(match (self.forced, self.code) {
            (Some(end), _) => end,
            (None, Some(code)) => End::Exit(code),
            (None, None) => End::Lost(status, complaints),
        })
    }
}
