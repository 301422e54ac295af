//! A real PostgreSQL with Odoo's table of modules: what is installed is asked, and the printed commands install the rest once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::write_module;
use crate::cli::{Program, Ran};

/// PostgreSQL in a container, gone at the end.
struct Server {
    name: String,
    port: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = docker(&["rm", "-f", "-v", &self.name]);
    }
}

fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).output().expect("the engine's client")
}

impl Server {
    /// Starts one, or says why not.
    fn start() -> Option<Server> {
        let image = std::env::var("POSTGRES_IMAGE").unwrap_or_else(|_| "ipaictl/postgres:15".to_owned());
        let name = format!("ipaictl-it-deps-{}", std::process::id());
        let run = [
            "run",
            "-d",
            "--name",
            &name,
            "-e",
            "POSTGRES_HOST_AUTH_METHOD=trust",
            "-p",
            "127.0.0.1::5432",
            &image,
        ];
        let output = docker(&run);
        if !output.status.success() {
            println!("skipped: no PostgreSQL: {}", String::from_utf8_lossy(&output.stderr));
            return None;
        }
        let mut server = Server { name, port: String::new() };
        let published = String::from_utf8(docker(&["port", &server.name, "5432/tcp"]).stdout).unwrap();
        server.port = published.trim().rsplit(':').next()?.to_owned();
        let deadline = Instant::now() + Duration::from_secs(60);
        // The first start listens on its socket alone while it prepares the database.
        while !server.try_sql("select 1") {
            assert!(Instant::now() < deadline, "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(200));
        }
        Some(server)
    }

    fn try_sql(&self, statement: &str) -> bool {
        let psql = [
            "exec",
            &self.name,
            "psql",
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
        ];
        docker(&psql).status.success()
    }

    fn url(&self) -> String {
        format!("postgresql://postgres:s3cr3t@127.0.0.1:{}/postgres", self.port)
    }
}

/// Programs of the names that the script calls: `psql` inside the container, and one that does to the table what Odoo does.
fn write_programs(program: &Program, server: &Server) {
    let folder = program.work().join("bin");
    fs::create_dir_all(&folder).unwrap();
    let psql = format!("#!/bin/sh\nexec docker exec {} psql \"$@\"\n", server.name);
    let odoo = "#!/bin/sh\necho \"$@\" >> calls\nfor m in $(echo \"$4\" | tr , ' '); do\n  \
                psql --dbname \"$DATABASE\" -qc \"insert into ir_module_module values ('$m', 'installed') \
                on conflict (name) do update set state = 'installed'\"\ndone\n";
    for (name, text) in [("psql", psql.as_str()), ("odoo", odoo)] {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn shell(program: &Program, script: &str) -> Ran {
    fs::write(program.work().join("install.sh"), script).unwrap();
    let path = format!("{}:{}", program.work().join("bin").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.arg("install.sh").current_dir(program.work()).env("PATH", path);
    command.env("DATABASE", "postgresql://postgres@127.0.0.1:5432/postgres");
    Ran::from(command.output().unwrap())
}

#[test]
fn the_database_says_what_is_installed_and_the_commands_install_the_rest_once() {
    let Some(server) = Server::start() else { return };
    let program = Program::new();
    let root = program.work().join("addons");
    write_module(&root, "base", "{}");
    write_module(&root, "web", "{'depends': ['base']}");
    write_module(&root, "shop", "{'depends': ['web']}");
    write_programs(&program, &server);
    let deps = |more: &[&str]| {
        let mut arguments =
            vec!["deps".to_owned(), "shop".to_owned(), "--root".to_owned(), "addons".to_owned()];
        arguments.extend(["--database".to_owned(), server.url()]);
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        let ran = program.run(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(!ran.out.contains("s3cr3t") && !ran.err.contains("s3cr3t"));
        ran.out
    };
    assert_eq!(deps(&[]).matches("absent").count(), 3, "no Odoo was ever in it");
    assert!(server.try_sql("create table ir_module_module (name varchar primary key, state varchar)"));
    assert!(server.try_sql("insert into ir_module_module values ('base', 'installed'), ('shop', 'uninstalled'), ('web', 'to upgrade')"));
    let text = deps(&[]);
    assert!(text.contains("uninstalled") && text.contains("to upgrade"), "{text}");
    let script = deps(&["--install"]);
    assert!(script.contains("wanted=shop\n"), "{script}");
    for _ in 0..2 {
        let ran = shell(&program, &script);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    let calls = fs::read_to_string(program.work().join("calls")).unwrap();
    assert_eq!(calls, "--database postgres --init shop --stop-after-init\n", "once, and nothing else");
    assert!(deps(&["--install"]).contains("# Everything is installed."));
}
