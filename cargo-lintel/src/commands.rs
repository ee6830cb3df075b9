//! What the commands do, up to the point where a module of their own takes over.

use crate::cli::{
    Bench, Boot, Build, Command, Diff, Image, Object, Profile, ProfileCommand, Run, Test,
};
use crate::program::{self, Program};
use crate::project::Project;
use crate::runner::{self, Request, recorder, reporter};
use crate::{bench, boot, check, cli, compile, failure, image, profile, strace, twolives};
use anyhow::Result;
use clap::ValueEnum;
use std::ffi::OsString;
use std::path::PathBuf;

/// Does what the command line says; the result is the exit code.
pub fn main() -> Result<u8> {
    match cli::parse() {
        Command::Run(run) => run.run(),
        Command::Build(build) => build.run(),
        Command::Object(object) => object.run(),
        Command::Image(image) => image.run(),
        Command::Boot(boot) => boot.run(),
        Command::Profile(profile) => profile.run(),
        Command::Bench(bench) => bench.run(),
        Command::Test(test) => test.run(),
        Command::CheckObject(check) => check::run(check.file.as_deref()),
    }
}

impl Run {
    fn run(self) -> Result<u8> {
        let mut request = self.request();
        strace::check(&self.debug)?;
        if let Some(path) = &self.profile {
            recorder::check(path)?;
        }
        if let Some(path) = &self.events {
            reporter::check(path)?;
        }
        let options = compile::Options {
            features: self.features,
            profiler: self.profile.is_some(),
            events: !self.native && strace::wanted(&self.debug),
            quiet: self.quiet,
        };
        request.elf = match self.program {
            Some(name) => built(&name, self.bin.as_deref(), &options)?,
            None => default_program(&mut request, self.bin.as_deref(), &options)?,
        };
        match self.native {
            true => runner::native::run(&request),
            false => runner::run(&request),
        }
    }

    fn request(&self) -> Request {
        let mut settings: Vec<(&'static str, OsString)> = Vec::new();
        if self.tick {
            settings.push(("tick", "1".into()));
        }
        if let Some(clock) = self.clock.and_then(|clock| clock.to_possible_value()) {
            settings.push(("clock", clock.get_name().into()));
        }
        if self.no_lower {
            settings.push(("lower", "0".into()));
        }
        Request {
            elf: PathBuf::new(),
            args: self.args.clone(),
            env: self.env.iter().map(OsString::from).collect(),
            root: self.root.clone(),
            cwd: self.cwd.clone(),
            machine: self.machine,
            accel: self.accel,
            mem: self.mem,
            iso: self.iso,
            debug: self.debug.clone(),
            console: self.console,
            settings,
            timeout: self.timeout,
            qemu_args: self.qemu_arg.clone(),
            no_aslr: self.no_aslr,
            quiet: self.quiet,
            events: self.events.clone(),
            profile: self.profile.clone(),
        }
    }
}

impl Build {
    fn run(self) -> Result<u8> {
        let project = Project::current()?;
        let options = compile::Options {
            features: self.features,
            profiler: false,
            events: false,
            quiet: self.quiet,
        };
        let programs = match self.programs.is_empty() {
            true => vec![
                match program::default(&project, &std::env::current_dir()?, None)? {
                    program::Default::Program(program) => program,
                    program::Default::Demonstration { program, .. } => program,
                },
            ],
            false => {
                let find = |name: &String| program::find(name, Some(&project), None);
                self.programs.iter().map(find).collect::<Result<_>>()?
            }
        };
        for elf in compile::programs(Some(&project), &programs, &options)? {
            println!("{}", elf.display());
        }
        Ok(0)
    }
}

impl Object {
    fn run(self) -> Result<u8> {
        let options = compile::Options {
            features: self.features,
            profiler: false,
            events: false,
            quiet: self.quiet,
        };
        let object = compile::object(Project::current_if_any()?.as_ref(), &options)?;
        println!("{}", object.linkable.display());
        Ok(0)
    }
}

impl Image {
    fn run(self) -> Result<u8> {
        let elf = built(&self.program, None, &compile::Options::default())?;
        let line = image::command_line(&elf, self.append.as_deref().unwrap_or_default())?;
        image::build_with_root(&self.iso, &elf, self.root.as_deref(), &line)?;
        println!("{}", self.iso.display());
        Ok(0)
    }
}

impl Boot {
    fn run(self) -> Result<u8> {
        let names = match self.programs.is_empty() {
            true => vec!["hello".to_owned()],
            false => self.programs,
        };
        let options = compile::Options::default();
        let build = |name: &String| Ok((name.clone(), built(name, None, &options)?));
        let programs = names.iter().map(build).collect::<Result<Vec<_>>>()?;
        boot::run(
            &programs,
            &boot::Options {
                accel: self.accel,
                runs: self.runs,
                json: self.json,
                mem: self.mem,
            },
        )
    }
}

impl Profile {
    fn run(self) -> Result<u8> {
        if let Some(ProfileCommand::Diff(Diff {
            before,
            after,
            fail_over,
        })) = self.command
        {
            return profile::diff(&before, &after, fail_over);
        }
        let options = profile::Options {
            top: self.top,
            json: self.json,
            html: self.html,
        };
        let file = self.file.ok_or_else(|| failure::user("which profile?"))?;
        profile::show(&file, &options)
    }
}

impl Bench {
    fn run(self) -> Result<u8> {
        bench::run(&bench::Options {
            quick: self.quick,
            only: self.only,
            accel: self.accel,
            json: self.json,
            chart: self.chart,
            compare: self.compare,
            write_docs: self.write_docs,
            check_docs: self.check_docs,
        })
    }
}

impl Test {
    fn run(self) -> Result<u8> {
        twolives::run(&twolives::Options {
            filter: self.filter,
            accel: self.accel,
            jobs: self.jobs as usize,
            host: !self.vm_only,
            machines: !self.host_only,
            list: self.list,
        })
    }
}

/// Finds and builds the program called `name`; an ELF file needs no project.
fn built(name: &str, which: Option<&str>, options: &compile::Options) -> Result<PathBuf> {
    let project = if name.contains('/') {
        None
    } else {
        Project::current_if_any()?
    };
    let program = program::find(name, project.as_ref(), which)?;
    one(compile::programs(project.as_ref(), &[program], options)?)
}

/// Builds what `run` without a name means; for the demonstration the request gets its text.
fn default_program(
    request: &mut Request,
    which: Option<&str>,
    options: &compile::Options,
) -> Result<PathBuf> {
    let project = Project::current()?;
    let program: Program = match program::default(&project, &std::env::current_dir()?, which)? {
        program::Default::Program(program) => program,
        program::Default::Demonstration { program, root } => {
            if request.root.is_none() && request.args.is_empty() {
                request.root = Some(root);
                request.args = program::DEMONSTRATION_ARGS.map(OsString::from).to_vec();
            }
            program
        }
    };
    one(compile::programs(Some(&project), &[program], options)?)
}

fn one(elves: Vec<PathBuf>) -> Result<PathBuf> {
    elves
        .into_iter()
        .next()
        .ok_or_else(|| failure::user("nothing was built"))
}
