package dev.vfio.migration.sandbox.benchmark;

import dev.vfio.migration.sandbox.cluster.ClusterSettings;
import dev.vfio.migration.sandbox.cluster.DeviceShape;
import dev.vfio.migration.sandbox.cluster.JavaCommand;
import dev.vfio.migration.sandbox.cluster.LoopbackNetwork;
import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Measures what a migration costs on this machine, beside what a plain copy of the same bytes costs
 * in the same run. Tests nothing: a figure that misses its aim is printed as a miss, and the exit
 * code stays 0.
 */
public final class Bench {
  private static final long MEBIBYTE = 1L << 20;
  private static final double AIM_OF_TLS = 0.80;
  private static final double AIM_FLAT = 1.20;
  private static final double AIM_SMALL_SECONDS = 1.5;
  private static final double GB = 1e9;

  private final BenchOptions options;
  private final Repository repository;
  private final Path work;
  private int devices;

  private Bench(BenchOptions options, Repository repository, Path work) {
    this.options = options;
    this.repository = repository;
    this.work = work;
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    Locale.setDefault(Locale.ROOT);
    if (Arrays.asList(arguments).equals(List.of("--help"))) {
      System.out.print(BenchOptions.USAGE);
      return;
    }
    BenchOptions options;
    try {
      options = BenchOptions.parse(arguments);
    } catch (IllegalArgumentException e) {
      System.err.println("bench: " + e.getMessage() + "; sandbox/bench --help lists the options");
      System.exit(2);
      return;
    }
    Repository repository = Repository.find();
    Path work = Files.createDirectories(repository.root().resolve(".bench"));
    int exit = 0;
    try {
      new Bench(options, repository, work).run();
    } catch (IOException e) {
      System.err.println("bench: " + e.getMessage());
      System.err.println("bench: the logs are in " + work.resolve("logs"));
      exit = 1;
    }
    System.exit(exit);
  }

  private void run() throws IOException, InterruptedException {
    System.out.printf(
        "%d processors, %s %s; %d MiB of incompressible state, %d stream(s), %d repeat(s)%n%n",
        Runtime.getRuntime().availableProcessors(),
        System.getProperty("os.name"),
        System.getProperty("os.version"),
        options.throughputBytes() / MEBIBYTE,
        options.streams(),
        options.repeats());
    ClusterSettings settings =
        new ClusterSettings(repository, work, JavaCommand.Tuning.FULL_SPEED, false, Map.of());
    try (SandboxCluster cluster = SandboxCluster.start(settings).awaitReady()) {
      throughput(cluster);
      smallDevice(cluster);
      memory(cluster);
    }
  }

  private void throughput(SandboxCluster cluster) throws IOException, InterruptedException {
    PlainCopies copies =
        new PlainCopies(
            cluster.supervisor(),
            repository.sandboxClassPath("benchmark"),
            work,
            LoopbackNetwork.choose().address(1));
    Path tls = cluster.node(SandboxCluster.SOURCE_NODE).tls();
    List<Double> plain = new ArrayList<>();
    List<Double> encrypted = new ArrayList<>();
    List<Double> migrated = new ArrayList<>();
    List<Double> aboveTransfer = new ArrayList<>();
    List<Double> liveDowntime = new ArrayList<>();
    // The first migration warms the agents up, as the first of the two copies does for the copiers.
    migrate(cluster, shape(options.throughputBytes(), 0), MeasuredMigration.Mode.Cold);
    for (int repeat = 0; repeat < options.repeats(); repeat++) {
      // Taken in turns, so that a machine that slows down slows all of them down.
      plain.add(copies.bytesPerSecond(options.throughputBytes(), Optional.empty()) / GB);
      encrypted.add(copies.bytesPerSecond(options.throughputBytes(), Optional.of(tls)) / GB);
      MeasuredMigration cold =
          migrate(cluster, shape(options.throughputBytes(), 0), MeasuredMigration.Mode.Cold);
      migrated.add(cold.bytesPerSecond() / GB);
      aboveTransfer.add((cold.downtimeNanos() - cold.copyNanos()) / 1e6);
      MeasuredMigration live =
          migrate(
              cluster,
              shape(options.throughputBytes() / 8, 16 * MEBIBYTE),
              MeasuredMigration.Mode.Live);
      liveDowntime.add(live.downtimeNanos() / 1e6);
    }
    Spread plainSpread = Spread.of(plain);
    Spread tlsSpread = Spread.of(encrypted);
    Spread spread = Spread.of(migrated);
    System.out.println("throughput, median (range)");
    System.out.println("  plain loopback socket            " + plainSpread.text("GB/s"));
    System.out.println("  plain TLS 1.3 (BoringSSL)        " + tlsSpread.text("GB/s"));
    System.out.println("  migration, device to device      " + spread.text("GB/s"));
    System.out.printf(
        "  migration / plain socket         %.2f%n", spread.median() / plainSpread.median());
    double ratio = spread.median() / tlsSpread.median();
    aim(
        "  migration / plain TLS            %.2f".formatted(ratio),
        ratio >= AIM_OF_TLS,
        "at least %.2f".formatted(AIM_OF_TLS));
    System.out.println("downtime");
    System.out.println(
        "  above the bytes' own transfer    "
            + Spread.of(aboveTransfer).text("ms")
            + "   (Cold: pause to RUNNING, less STOPNCOPY to RESUME_COMPLETED)");
    System.out.println("  Live, 16 MiB/s made dirty        " + Spread.of(liveDowntime).text("ms"));
  }

  private void smallDevice(SandboxCluster cluster) throws IOException, InterruptedException {
    List<Double> seconds = new ArrayList<>();
    for (int repeat = 0; repeat < options.repeats() + 1; repeat++) {
      MeasuredMigration small = migrate(cluster, shape(MEBIBYTE, 0), MeasuredMigration.Mode.Live);
      if (repeat > 0) {
        seconds.add(small.appliedToSucceededNanos() / 1e9);
      }
    }
    Spread spread = Spread.of(seconds);
    System.out.println("a device of 1 MiB, everything warm");
    aim(
        "  apply to Succeeded               " + spread.text("s"),
        spread.median() < AIM_SMALL_SECONDS,
        "below %.1f s".formatted(AIM_SMALL_SECONDS));
  }

  /** Agents that were started for this size alone, so that each figure is its own peak. */
  private void memory(SandboxCluster cluster) throws IOException, InterruptedException {
    System.out.println("peak resident memory of the agents (VmHWM)");
    List<Double> sources = new ArrayList<>();
    List<Double> destinations = new ArrayList<>();
    for (long size : options.memorySizes()) {
      restartAgent(cluster, SandboxCluster.SOURCE_NODE);
      restartAgent(cluster, SandboxCluster.DESTINATION_NODE);
      migrate(cluster, shape(size, 0), MeasuredMigration.Mode.Live);
      double source =
          (double) cluster.agent(SandboxCluster.SOURCE_NODE).peakResidentBytes() / MEBIBYTE;
      double destination =
          (double) cluster.agent(SandboxCluster.DESTINATION_NODE).peakResidentBytes() / MEBIBYTE;
      sources.add(source);
      destinations.add(destination);
      System.out.printf(
          "  %6d MiB of state                source %.0f MiB, destination %.0f MiB%n",
          size / MEBIBYTE, source, destination);
    }
    double growth = Math.max(growth(sources), growth(destinations));
    aim(
        "  largest / smallest               %.2f".formatted(growth),
        growth <= AIM_FLAT,
        "at most %.2f".formatted(AIM_FLAT));
  }

  private static double growth(List<Double> values) {
    Spread spread = Spread.of(values);
    return spread.most() / spread.least();
  }

  private static void restartAgent(SandboxCluster cluster, String node)
      throws IOException, InterruptedException {
    cluster.agent(node).end(java.time.Duration.ofSeconds(10));
    cluster.launchAgent(node);
    cluster.awaitAgent(node);
  }

  private MeasuredMigration migrate(
      SandboxCluster cluster, DeviceShape shape, MeasuredMigration.Mode mode)
      throws IOException, InterruptedException {
    MeasuredMigration measured = MeasuredMigration.run(cluster, shape, mode, options.streams());
    if (!measured.verified()) {
      throw new IOException("the destination found an error in what it got: no figure is worth it");
    }
    return measured;
  }

  private DeviceShape shape(long stateSize, long dirtyRate) {
    devices++;
    return DeviceShape.small("bench-" + devices).withState(stateSize, dirtyRate).withMemory(0, 0);
  }

  private static void aim(String figure, boolean met, String aim) {
    System.out.println(figure + "   aim: " + aim + (met ? ", met" : ", MISSED"));
  }
}
