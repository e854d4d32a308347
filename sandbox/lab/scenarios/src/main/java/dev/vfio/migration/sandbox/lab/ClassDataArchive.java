package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.LoopbackNetwork;
import dev.vfio.migration.sandbox.cluster.SandboxNode;
import dev.vfio.migration.sandbox.cluster.pki.CertificateAuthority;
import dev.vfio.migration.sandbox.cluster.process.ProcessSpec;
import dev.vfio.migration.sandbox.cluster.process.Readiness;
import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import dev.vfio.migration.sandbox.cluster.process.Supervisor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/**
 * The classes of the agent in the form in which a Java machine maps them, instead of parsing and
 * verifying them: it halves the start in a guest. Made by starting the agent once on this machine,
 * where that takes seconds; kept while neither the agent nor Java changes.
 */
final class ClassDataArchive {
  private static final Duration BOUND = Duration.ofSeconds(90);

  private ClassDataArchive() {}

  /**
   * The archive for that agent, from {@code folder} or new.
   *
   * @param folder must be seen by the guests under the same path
   */
  static Path of(Path agentJar, Path folder, Supervisor supervisor, Path work)
      throws IOException, InterruptedException {
    Files.createDirectories(folder);
    Path archive = file(agentJar, folder);
    if (!Files.exists(archive)) {
      Path made = folder.resolve("agent-in-work.jsa");
      Files.deleteIfExists(made);
      train(agentJar, made, supervisor, work);
      Files.move(made, archive, StandardCopyOption.ATOMIC_MOVE);
    }
    return archive;
  }

  private static Path file(Path agentJar, Path folder) throws IOException {
    return folder.resolve("agent-" + key(agentJar) + ".jsa");
  }

  /**
   * What an archive was made for and is good for alone: Java checks path, size and time of the jar
   * itself.
   */
  private static String key(Path agentJar) throws IOException {
    String facts =
        String.join(
            " ",
            agentJar.toString(),
            Long.toString(Files.size(agentJar)),
            Files.getLastModifiedTime(agentJar).toString(),
            lastModifiedOfLibraries(agentJar),
            System.getProperty("java.home"),
            System.getProperty("java.vm.version"));
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(facts.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, 8);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this Java has no SHA-256", e);
    }
  }

  private static String lastModifiedOfLibraries(Path agentJar) throws IOException {
    Path application = agentJar.resolveSibling("app");
    List<String> times = new ArrayList<>();
    try (var files = Files.list(application)) {
      for (Path file : files.sorted().toList()) {
        times.add(file.getFileName() + "@" + Files.getLastModifiedTime(file));
      }
    }
    return String.join(",", times);
  }

  private static void train(Path agentJar, Path archive, Supervisor supervisor, Path work)
      throws IOException, InterruptedException {
    String address = LoopbackNetwork.choose().address(11);
    Path folder = work.resolve("training");
    Path tls = folder.resolve("tls");
    CertificateAuthority.create("archive").agent("node-a").writeTo(tls);
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(JvmFlags.training(archive));
    command.add("-Djava.io.tmpdir=" + work.resolve("tmp"));
    command.add("-Djna.tmpdir=" + work.resolve("tmp"));
    command.add("-jar");
    command.add(agentJar.toString());
    RunningProcess agent =
        supervisor.start(
            new ProcessSpec(
                "training",
                command,
                Map.of(
                    "AGENT_NODE_NAME", "node-a",
                    "AGENT_LISTEN_ADDRESS", address,
                    "AGENT_JOURNAL_DIRECTORY", folder.resolve("journal").toString(),
                    "AGENT_VFIO_USER_DIRECTORY", folder.resolve("run").toString(),
                    "AGENT_HANDOVER_DIRECTORY", folder.resolve("devices").toString(),
                    "AGENT_TLS_DIRECTORY", tls.toString()),
                folder,
                work.resolve("logs").resolve("training.log")));
    agent.awaitReady(
        Readiness.http("http://" + address + ":" + SandboxNode.HEALTH_PORT + "/q/health/ready"),
        BOUND);
    // The archive is written while it ends.
    agent.end(BOUND);
    if (!Files.exists(archive)) {
      throw new IOException("no class data archive was written; see " + agent.log());
    }
  }
}
