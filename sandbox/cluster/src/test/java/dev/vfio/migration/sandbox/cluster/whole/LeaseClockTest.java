package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A leader dies whose machine had another time of day: the next one goes on in time. */
@ExtendWith(WholeSystem.class)
@Timeout(180)
class LeaseClockTest {
  private static final String NAMESPACE = "vfio-migration";
  private static final String NAME = "vfio-migration-operator";

  @ParameterizedTest
  @ValueSource(strings = {"PT1H", "PT-1H"})
  void theNextLeaderGoesOnWhateverTheLastOneWrote(Duration ahead, TestCluster cluster)
      throws Exception {
    try (Scenario scenario =
        cluster.scenario("lease").manual().begin().awaitSourceState("PRECOPY")) {
      String last = lease(cluster).getSpec().getHolderIdentity();
      cluster.killOperator();
      ZonedDateTime renewed = ZonedDateTime.now(ZoneOffset.UTC).plus(ahead);
      cluster
          .cluster()
          .client()
          .leases()
          .inNamespace(NAMESPACE)
          .withName(NAME)
          .edit(
              lease -> {
                lease.getSpec().setRenewTime(renewed);
                return lease;
              });
      cluster.restartOperator();
      scenario.switchOver();

      scenario.succeeded();
      assertThat(lease(cluster).getSpec().getHolderIdentity()).isNotEqualTo(last);
    }
  }

  private static Lease lease(TestCluster cluster) {
    return cluster.cluster().client().leases().inNamespace(NAMESPACE).withName(NAME).get();
  }
}
