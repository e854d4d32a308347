package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import dev.vfio.migration.sandbox.cluster.rounds.OutcomeTable;
import dev.vfio.migration.sandbox.cluster.rounds.RoundPlan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Migrates real VFIO devices between two booted guests and judges what happened: see {@link
 * LabOptions}. The guests are there already. One verdict line for each scenario; the last line is
 * {@code LAB-PASSED}, {@code LAB-FAILED: reason}, or {@code LAB-SKIPPED: reason} where nothing
 * could be shown. Exit codes: 0 passed, 1 failed, 2 an option is wrong, 77 skipped.
 */
public final class KernelLab {
  private static final Duration CONNECT_BOUND = Duration.ofSeconds(60);
  private static final Path RUN_DIRECTORY = Path.of("/run/vfio-migration");
  private static final Path CGROUPS = Path.of("/sys/fs/cgroup");

  private static final int SKIPPED = 77;

  /** QEMU's device for teaching, bound to vfio-pci. */
  private static final String PLAIN_DEVICE_IDS = "0x1234 0x11e8";

  private static final String VERSIONS =
      "echo kernel $(uname -rv); cd /sys/module && for m in vmig mtty vfio_pci vfio_iommu_type1; do"
          + " [ ! -d $m ] || echo $m $(cat $m/version $m/srcversion 2>/dev/null); done";

  private final LabOptions options;
  private final Repository repository;
  private final long start = System.nanoTime();
  private final List<String> skipped = new ArrayList<>();
  private boolean passedAny;

  private KernelLab(LabOptions options, Repository repository) {
    this.options = options;
    this.repository = repository;
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    Locale.setDefault(Locale.ROOT);
    LabOptions options;
    try {
      options = LabOptions.parse(arguments);
    } catch (WrongOptionException e) {
      System.err.println("kernel-lab: " + e.getMessage());
      System.exit(2);
      return;
    }
    KernelLab lab = new KernelLab(options, Repository.find());
    System.exit(lab.run());
  }

  private int run() throws InterruptedException {
    try (Guest a = Guest.connect("a", options.a().channel(), CONNECT_BOUND);
        Guest b = Guest.connect("b", options.b().channel(), CONNECT_BOUND)) {
      GuestNode source = node(LabCluster.SOURCE_NODE, a, options.a());
      GuestNode destination = node(LabCluster.DESTINATION_NODE, b, options.b());
      String plainDevice = plainDevice(source);
      sayVersions(source);
      sayVersions(destination);
      if (options.chaos().isPresent()) {
        return chaos(source, destination);
      }
      try (LabCluster cluster = cluster(source, destination)) {
        say(
            "both agents are ready; peak memory of that of node-a: %s",
            cluster.sourceAgent().peakMemory());
        List<String> failed = scenarios(cluster, plainDevice, kindsOf(source));
        if (options.keep()) {
          cluster.leaveRunning();
          say("everything runs on: export KUBECONFIG=%s", options.work().resolve("kubeconfig"));
        }
        if (!failed.isEmpty()) {
          return failed(failed.size() + " failed: " + String.join(", ", failed));
        }
        if (!passedAny) {
          System.out.println("LAB-SKIPPED: " + String.join("; ", skipped));
          return SKIPPED;
        }
      }
      System.out.println("LAB-PASSED");
      return 0;
    } catch (IOException | RuntimeException e) {
      return failed(e.getMessage());
    }
  }

  private int chaos(GuestNode source, GuestNode destination)
      throws IOException, InterruptedException {
    LabOptions.Chaos chaos = options.chaos().orElseThrow();
    List<RoundPlan<ChaosPoint, ChaosPart>> plans;
    try {
      plans = ChaosRounds.plans(chaos, options.only());
    } catch (WrongOptionException e) {
      return failed(e.getMessage());
    }
    Path script = repository.root().resolve("sandbox/lab/guests/machines");
    ChaosRounds rounds =
        new ChaosRounds(
            () -> cluster(source, destination),
            node -> new GuestMachine(node.guest(), script, options.work()),
            kindsOf(source),
            options.work().resolve("chaos"),
            System.out::println);
    OutcomeTable<ChaosPoint, ChaosPart> table = rounds.run(plans);
    System.out.println();
    System.out.print(table.markdown());
    System.out.println(table.result());
    if (table.violations() > 0) {
      return failed(table.violations() + " rounds broke a rule");
    }
    System.out.println("LAB-PASSED");
    return 0;
  }

  private LabCluster cluster(GuestNode source, GuestNode destination)
      throws IOException, InterruptedException {
    Path archives = options.archives().orElse(repository.root().resolve(".lab/archives"));
    source.clear();
    destination.clear();
    return LabCluster.start(
        repository, options.work(), source, destination, archives, options.workload());
  }

  private static int failed(String why) {
    System.out.println("LAB-FAILED: " + String.valueOf(why).replaceAll("\\s*\\R\\s*", " | "));
    return 1;
  }

  private GuestNode node(String name, Guest guest, LabOptions.GuestAddress address)
      throws IOException {
    return new GuestNode(
        name,
        guest,
        "0.0.0.0",
        address.address(),
        address.stateHost(),
        Files.createDirectories(options.share().resolve(name)),
        RUN_DIRECTORY,
        CGROUPS,
        options.cdev());
  }

  /** One question, because each costs a loaded guest seconds. */
  private void sayVersions(GuestNode node) throws IOException, InterruptedException {
    say("%s: %s", node.name(), String.join("; ", node.run(VERSIONS)));
  }

  /** The plain device's PCI address; both guests are the same machine. */
  private static String plainDevice(GuestNode node) throws IOException, InterruptedException {
    List<String> found =
        node.run(
            "for d in /sys/bus/pci/devices/*; do"
                + " [ \"$(cat $d/vendor) $(cat $d/device)\" = '%s' ] && echo ${d##*/}; done; true"
                    .formatted(PLAIN_DEVICE_IDS));
    if (found.isEmpty()) {
      throw new IOException("guest of " + node.name() + " has no device " + PLAIN_DEVICE_IDS);
    }
    return found.get(0);
  }

  private List<DeviceKind> kindsOf(GuestNode node) throws IOException, InterruptedException {
    String release = node.run("uname -r").get(0).strip();
    List<DeviceKind> offered = new ArrayList<>();
    for (DeviceKind kind : DeviceKind.values()) {
      Optional<String> missing = kind.missingIn(release);
      if (missing.isPresent()) {
        say("skipped: everything of %s, because %s", kind.label(), missing.get());
      } else {
        offered.add(kind);
      }
    }
    return offered;
  }

  private List<String> scenarios(LabCluster cluster, String plainDevice, List<DeviceKind> kinds)
      throws IOException, InterruptedException {
    Scenarios scenarios = new Scenarios(cluster, plainDevice, kinds);
    Leftovers leftovers = new Leftovers(cluster);
    List<String> failed = new ArrayList<>();
    int run = 0;
    for (Scenarios.Scenario scenario : scenarios.all()) {
      if (options.core() && !scenario.core()
          || !options.only().isEmpty()
              && options.only().stream().noneMatch(scenario.name()::contains)) {
        continue;
      }
      run++;
      long began = System.nanoTime();
      try {
        String evidence = scenario.body().run(scenario.slug());
        verdict(true, scenario, evidence + "; " + leftovers.awaitNone(), began);
        passedAny = true;
      } catch (SkippedException e) {
        skipped.add(scenario.name() + ": " + e.getMessage());
        System.out.printf("skipped %s: %s%n", scenario.name(), e.getMessage());
      } catch (IOException | RuntimeException e) {
        verdict(false, scenario, e.getMessage(), began);
        for (Throwable other : e.getSuppressed()) {
          say("and while clearing away: %s", other.getMessage());
        }
        failed.add(scenario.name());
      }
    }
    if (run == 0) {
      failed.add("no scenario has that name");
    }
    return failed;
  }

  private static void verdict(
      boolean good, Scenarios.Scenario scenario, String evidence, long began) {
    System.out.printf(
        "%s %s (%.0f s): %s%n",
        good ? "ok" : "NOT OK", scenario.name(), (System.nanoTime() - began) / 1e9, evidence);
  }

  private void say(String format, Object... values) {
    System.out.printf("%6.1f s  %s%n", (System.nanoTime() - start) / 1e9, format.formatted(values));
  }
}
