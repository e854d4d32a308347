package dev.vfio.migration.sandbox.benchmark;

import dev.vfio.migration.sandbox.cluster.JavaCommand;
import dev.vfio.migration.sandbox.cluster.process.ProcessException;
import dev.vfio.migration.sandbox.cluster.process.ProcessSpec;
import dev.vfio.migration.sandbox.cluster.process.Readiness;
import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import dev.vfio.migration.sandbox.cluster.process.Supervisor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Runs the copies that everything else is measured against, each as a sending and a receiving
 * process. A first copy warms both up and is not counted.
 *
 * @param supervisor starts the processes
 * @param classPath of this module
 * @param work folder for logs and temporary files
 * @param address on the loopback interface
 */
record PlainCopies(Supervisor supervisor, String classPath, Path work, String address) {
  private static final int PORT = 9700;
  private static final Duration BOUND = Duration.ofMinutes(10);
  private static final Duration END = Duration.ofSeconds(5);
  private static final String COPIED = "COPIED ";

  /** Bytes per second of one copy, through TLS where there is a folder with certificates. */
  double bytesPerSecond(long bytes, Optional<Path> tls) throws IOException, InterruptedException {
    List<String> arguments = new ArrayList<>();
    arguments.add(address);
    arguments.add(Integer.toString(PORT));
    arguments.add(Long.toString(bytes));
    arguments.add("2");
    tls.ifPresent(folder -> arguments.add(folder.toString()));

    String name = tls.isPresent() ? "tls-copy" : "plain-copy";
    RunningProcess receiver = start(name + "-receiver", "receive", arguments);
    receiver.awaitReady(Readiness.logLine(receiver.log(), receiver.logOffset(), "READY"), BOUND);
    RunningProcess sender = start(name + "-sender", "send", arguments);
    receiver.awaitExit(BOUND);
    sender.end(END);

    List<Double> nanos =
        Files.readString(receiver.log())
            .substring((int) receiver.logOffset())
            .lines()
            .filter(line -> line.startsWith(COPIED))
            .map(line -> Double.valueOf(line.substring(COPIED.length())))
            .toList();
    if (nanos.size() != 2) {
      throw new ProcessException(
          "the "
              + name
              + " did not end as it should; see "
              + receiver.log()
              + " and "
              + sender.log());
    }
    return bytes / (nanos.get(1) / 1e9);
  }

  private RunningProcess start(String name, String role, List<String> rest) throws IOException {
    List<String> arguments = new ArrayList<>();
    arguments.add(role);
    arguments.addAll(rest);
    return supervisor.start(
        new ProcessSpec(
            name,
            new JavaCommand(JavaCommand.Tuning.FULL_SPEED, "256m", work.resolve("tmp"))
                .property("java.util.logging.manager", "org.jboss.logmanager.LogManager")
                .main(classPath, CopyEnd.class.getName(), arguments),
            Map.of(),
            work,
            work.resolve("logs").resolve(name + ".log")));
  }
}
