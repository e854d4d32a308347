package dev.vfio.migration.sandbox.demo;

import dev.vfio.migration.sandbox.cluster.ClusterSettings;
import dev.vfio.migration.sandbox.cluster.DevicePair;
import dev.vfio.migration.sandbox.cluster.DeviceShape;
import dev.vfio.migration.sandbox.cluster.JavaCommand;
import dev.vfio.migration.sandbox.cluster.LaunchedDevice;
import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.console.DeviceConsole.Continuity;
import dev.vfio.migration.sandbox.cluster.migration.AppliedMigration;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Shows one migration from end to end: see {@link DemoOptions}. Exit codes: 0 it ended as it was
 * asked for, 1 it did not, 2 an option is wrong, 3 another demo is running.
 */
public final class Demo {
  private static final long MEBIBYTE = 1L << 20;
  private static final long MEMORY_SIZE = 16 * MEBIBYTE;
  private static final long MEMORY_DIRTY_RATE = 4 * MEBIBYTE;
  private static final Duration MAX_DURATION = Duration.ofMinutes(30);

  private final DemoOptions options;
  private final Repository repository;
  private final Path work;
  private final Screen screen;

  private Demo(DemoOptions options, Repository repository, Path work, Screen screen) {
    this.options = options;
    this.repository = repository;
    this.work = work;
    this.screen = screen;
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    Locale.setDefault(Locale.ROOT);
    DemoOptions options;
    try {
      options = DemoOptions.parse(arguments);
    } catch (WrongOptionException e) {
      System.err.println(
          "demo: " + e.getMessage() + "; nothing was started (./demo --help lists the options)");
      System.exit(2);
      return;
    }
    Repository repository = Repository.find();
    Path work = Files.createDirectories(repository.root().resolve(".demo"));
    boolean terminal = "yes".equals(System.getenv("DEMO_TERMINAL"));
    int exit;
    try (FileChannel lockFile =
            FileChannel.open(
                work.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = lockFile.tryLock()) {
      if (lock == null) {
        System.err.println("demo: another demo is running in " + work + "; nothing was started");
        System.exit(3);
      }
      exit = new Demo(options, repository, work, new Screen(System.out, terminal)).run();
    }
    System.exit(exit);
  }

  private int run() throws InterruptedException {
    Expectation expected = Expectation.of(options);
    screen.say(
        "starting API server, operator, two agents and two devices; logs in " + work + "/logs");
    SandboxCluster cluster;
    try {
      cluster =
          SandboxCluster.start(
              new ClusterSettings(
                  repository, work, JavaCommand.Tuning.QUICK_START, false, Map.of()));
    } catch (IOException e) {
      return failed(e.getMessage());
    }
    try {
      int exit = migrate(cluster, expected);
      if (options.keep()) {
        cluster.leaveRunning();
        sayWhatToTry(cluster);
      }
      return exit;
    } catch (IOException | KubernetesClientException e) {
      return failed(e.getMessage());
    } finally {
      cluster.close();
    }
  }

  private int failed(String why) {
    System.out.flush();
    System.err.println("demo: " + why);
    System.err.println("demo: the logs are in " + work + "/logs");
    return 1;
  }

  private int migrate(SandboxCluster cluster, Expectation expected)
      throws IOException, InterruptedException {
    DevicePair pair = launchDevices(cluster, expected);
    cluster.awaitDevice(pair.source());
    cluster.awaitDevice(pair.destination());
    cluster.awaitReady();
    screen.say("everything is up; the workload runs on " + SandboxCluster.SOURCE_NODE);

    Example example = Example.read(repository.example(), options);
    screen.say("applying examples/devicemigration.yaml" + example.changes());
    AppliedMigration migration =
        AppliedMigration.apply(cluster.client(), "demo", example.migration(), MAX_DURATION);
    MigrationView view;
    try (CancelAtState cancel =
        CancelAtState.of(options.cancelAt(), pair.source(), migration, screen)) {
      view =
          migration.watch(
              now -> {
                screen.show(now);
                return now.ended();
              });
      cancel.rethrow();
    }

    boolean atDestination = view.phase().equals("Succeeded");
    LaunchedDevice owner = atDestination ? pair.destination() : pair.source();
    Optional<Continuity> continuity = new OwnerCheck(owner).verifyRunning();
    DemoResult ending = new DemoResult(expected, view, pair.evidence(), continuity);
    sayProof(ending, atDestination);
    List<String> objections = ending.objections();
    screen.result(ending.result());
    return objections.isEmpty() ? 0 : failed(String.join("\ndemo: ", objections));
  }

  private DevicePair launchDevices(SandboxCluster cluster, Expectation expected)
      throws IOException {
    DeviceShape shape =
        DeviceShape.small("gpu-0")
            .withState(options.stateSize(), options.dirtyRate())
            .withMemory(MEMORY_SIZE, MEMORY_DIRTY_RATE);
    expected.sourceFault().ifPresent(fault -> screen.say("the source's device is set to " + fault));
    expected
        .destinationFault()
        .ifPresent(fault -> screen.say("the destination's device is set to " + fault));
    return cluster.launchDevices(
        expected.sourceFault().map(shape::withFault).orElse(shape),
        expected.destinationFault().map(shape::withFault).orElse(shape));
  }

  private void sayProof(DemoResult ending, boolean atDestination) {
    Optional<String> both = ending.evidence().neverBothRunning();
    screen.say(
        both.orElse("H1 holds: by their own logs the two devices never ran at the same time"));
    ending
        .continuity()
        .ifPresent(
            continuity ->
                screen.say(
                    "%s verified itself: continuity %s, step %d%s"
                        .formatted(
                            atDestination
                                ? SandboxCluster.DESTINATION_NODE
                                : SandboxCluster.SOURCE_NODE,
                            continuity.word(),
                            continuity.step(),
                            continuity.detail().isEmpty()
                                ? ""
                                : " (" + continuity.detail() + ")")));
  }

  private void sayWhatToTry(SandboxCluster cluster) {
    System.out.println(
        """

        The cluster is up. To look around:
          export KUBECONFIG=%s
          kubectl get devicemigrations -A
          kubectl describe devicemigration move-gpu-0
          kubectl get events
          kubectl get pods -n vfio-migration -o wide
        To end it:
          ./demo --stop\
        """
            .formatted(cluster.kubeconfig()));
  }
}
