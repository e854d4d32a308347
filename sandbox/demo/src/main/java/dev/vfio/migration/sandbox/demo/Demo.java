package dev.vfio.migration.sandbox.demo;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.sandbox.cluster.ClusterSettings;
import dev.vfio.migration.sandbox.cluster.DevicePair;
import dev.vfio.migration.sandbox.cluster.DeviceShape;
import dev.vfio.migration.sandbox.cluster.JavaCommand;
import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.SimulatedDevice;
import dev.vfio.migration.sandbox.cluster.console.DeviceConsole.Continuity;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.KubernetesClientTimeoutException;
import io.fabric8.kubernetes.client.dsl.Resource;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Shows one migration from end to end: see {@link DemoOptions#USAGE}. Exit codes: 0 it ended as it
 * was asked for, 1 it did not, 2 an option is wrong, 3 another demo is running.
 */
public final class Demo {
  private static final long MEBIBYTE = 1L << 20;
  private static final long MEMORY_SIZE = 16 * MEBIBYTE;
  private static final long MEMORY_DIRTY_RATE = 4 * MEBIBYTE;
  private static final long LONGEST_MINUTES = 30;

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
    } catch (DemoOptions.BadOption e) {
      DemoOptions.refuse(e, System.err);
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
    Resource<GenericKubernetesResource> migration = example.applyTo(cluster.client());
    MigrationView view;
    try (CancelAtState cancel =
        CancelAtState.of(options.cancelAt(), pair.source(), migration, screen)) {
      view = follow(migration);
      cancel.rethrow();
    }

    boolean atDestination = view.phase().equals("Succeeded");
    SimulatedDevice owner = atDestination ? pair.destination() : pair.source();
    Optional<Continuity> continuity = new OwnerCheck(owner).verifyRunning();
    Ending ending = new Ending(expected, view, pair.evidence(), continuity);
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
    expected
        .sourceFault()
        .ifPresent(fault -> screen.say("the source's device is told to " + fault));
    expected
        .destinationFault()
        .ifPresent(fault -> screen.say("the destination's device is told to " + fault));
    return cluster.launchDevices(
        expected.sourceFault().map(shape::withFault).orElse(shape),
        expected.destinationFault().map(shape::withFault).orElse(shape));
  }

  private MigrationView follow(Resource<GenericKubernetesResource> migration) {
    ObjectMapper json = new ObjectMapper();
    try {
      GenericKubernetesResource last =
          migration.waitUntilCondition(
              object -> {
                if (object == null) {
                  return false;
                }
                MigrationView view = MigrationView.of(json.valueToTree(object));
                screen.show(view);
                return view.ended();
              },
              LONGEST_MINUTES,
              TimeUnit.MINUTES);
      return MigrationView.of(json.valueToTree(last));
    } catch (KubernetesClientTimeoutException e) {
      return MigrationView.of(json.valueToTree(migration.get()));
    }
  }

  private void sayProof(Ending ending, boolean atDestination) {
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
