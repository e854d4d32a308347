package dev.vfio.migration.operator.chart;

import static dev.vfio.migration.operator.chart.RenderedObjects.environment;
import static dev.vfio.migration.operator.chart.RenderedObjects.onlyContainer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Toleration;
import io.fabric8.kubernetes.api.model.VolumeMount;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Values of a wrong type, at their limits, and in contradiction to another. */
class ChartValuesTest {
  private static final String DIGEST = "0123456789abcdef".repeat(4);

  /** What Kubernetes would refuse without the value's name, or would accept and not carry out. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          operator: {podLabels: {app.kubernetes.io/name: other}}        | operator.podLabels: app.kubernetes.io/name
          agent: {podLabels: {app.kubernetes.io/component: operator}}   | agent.podLabels: app.kubernetes.io/component
          agent: {podLabels: {app.kubernetes.io/instance: a}}           | agent.podLabels: app.kubernetes.io/instance
          agent: {podLabels: {app.kubernetes.io/version: a}}            | agent.podLabels: app.kubernetes.io/version
          agent: {podLabels: {helm.sh/chart: a}}                        | agent.podLabels: helm.sh/chart
          operator: {podLabels: {pod-template-hash: a}}                 | operator.podLabels: pod-template-hash
          operator: {podLabels: {tier: 1}}                              | /operator/podLabels/tier
          operator: {podLabels: {tier: true}}                           | /operator/podLabels/tier
          operator: {podLabels: {tier: 'a b'}}                          | /operator/podLabels/tier
          operator: {podLabels: {'a b': c}}                             | /operator/podLabels
          operator: {podLabels: [a]}                                    | /operator/podLabels
          operator: {podAnnotations: {port: 8080}}                      | /operator/podAnnotations/port
          serviceAccounts: {annotations: {a: 1}}                        | /serviceAccounts/annotations/a
          serviceAccounts: {annotations: {helm.sh/hook: a}}             | /serviceAccounts/annotations/helm.sh~1hook
          agent: {extraEnv: [{name: A, value: 1}]}                      | /agent/extraEnv/0/value
          agent: {extraEnv: [{name: A, value: true}]}                   | /agent/extraEnv/0/value
          agent: {extraEnv: [{name: A, value: null}]}                   | /agent/extraEnv/0/value
          agent: {extraEnv: [{name: A, values: b}]}                     | 'values'
          agent: {extraEnv: [{value: b}]}                               | /agent/extraEnv/0
          agent: {extraEnv: [{name: a.b, value: c}]}                    | /agent/extraEnv/0/name
          agent: {extraEnv: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: a}}}]} | /agent/extraEnv/0
          agent: {extraEnv: [{name: A, valueFrom: {}}]}                 | /agent/extraEnv/0/valueFrom
          agent: {extraEnv: {A: b}}                                     | /agent/extraEnv
          agent: {extraEnv: [{name: A, value: b}, {name: A, value: c}]} | agent.extraEnv: A is there twice
          agent: {extraEnv: [{name: AGENT_CONTROL_PORT, value: '1'}]}   | agent.ports.control
          agent: {extraEnv: [{name: agent_journal_directory, value: /a}]} | agent.journalDirectory
          agent: {extraEnv: [{name: JAVA_TOOL_OPTIONS, value: a}]}      | agent.javaOptions
          agent: {hostNetwork: true, extraEnv: [{name: AGENT_LISTEN_ADDRESS, value: a}]} | agent.hostNetwork
          operator: {extraEnv: [{name: OPERATOR_ADMIN_NAMESPACES, value: a}]} | admission.adminNamespaces
          operator: {extraEnv: [{name: OPERATOR_LEASE_NAME, value: a}]} | operator.extraEnv: OPERATOR_LEASE_NAME
          agent: {memoryDirectories: [/dev/shm/a, /dev/shm/a]}          | /agent/memoryDirectories
          agent: {memoryDirectories: [/run/vfio-user]}                  | agent.vfioUserDirectory and agent.memoryDirectories[0]
          agent: {memoryDirectories: [/srv/a, /var/lib/vfio-migration]} | agent.journalDirectory and agent.memoryDirectories[1]
          agent: {memoryDirectories: [/var/lib/vfio-migration/a]}       | agent.journalDirectory
          agent: {journalDirectory: /run/vfio-user}                     | agent.journalDirectory and agent.vfioUserDirectory
          agent: {journalDirectory: /run/vfio-user/a}                   | agent.journalDirectory
          agent: {kernelDevices: {enabled: true, handoverDirectory: /run/vfio-user/a}} | agent.kernelDevices.handoverDirectory
          agent: {kernelDevices: {enabled: true, handoverDirectory: /run/vfio-user}} | agent.kernelDevices.handoverDirectory
          agent: {kernelDevices: {enabled: true}, memoryDirectories: [/run/vfio-migration/devices]} | agent.memoryDirectories[0]
          agent: {memoryDirectories: [/dev/vfio]}                       | /agent/memoryDirectories/0
          agent: {memoryDirectories: [/dev]}                            | /agent/memoryDirectories/0
          agent: {memoryDirectories: [/tmp]}                            | /agent/memoryDirectories/0
          agent: {memoryDirectories: [/proc/1/root]}                    | /agent/memoryDirectories/0
          agent: {memoryDirectories: [/sys/fs/cgroup]}                  | /agent/memoryDirectories/0
          agent: {memoryDirectories: [/etc/vfio-migration/tls]}         | /agent/memoryDirectories/0
          agent: {memoryDirectories: ['/a,/b']}                         | /agent/memoryDirectories/0
          agent: {memoryDirectories: /a/b}                              | /agent/memoryDirectories
          agent: {journalDirectory: /}                                  | /agent/journalDirectory
          agent: {journalDirectory: /var/lib}                           | /agent/journalDirectory
          agent: {journalDirectory: /app/lib}                           | /agent/journalDirectory
          agent: {journalDirectory: /var/lib/a/}                        | /agent/journalDirectory
          agent: {journalDirectory: /var/lib/./a}                       | /agent/journalDirectory
          agent: {journalDirectory: ''}                                 | /agent/journalDirectory
          agent: {journalDirectory: null}                               | 'journalDirectory'
          agent: {vfioUserDirectory: /run}                              | /agent/vfioUserDirectory
          agent: {kernelDevices: {cgroupDirectory: /sys}}               | /agent/kernelDevices/cgroupDirectory
          agent: {kernelDevices: {handoverUsers: [-1]}}                 | /agent/kernelDevices/handoverUsers/0
          agent: {kernelDevices: {handoverUsers: ['1000']}}             | /agent/kernelDevices/handoverUsers/0
          agent: {kernelDevices: {enabled: 'true'}}                     | /agent/kernelDevices/enabled
          agent: {ports: {control: 9444}}                               | agent.ports.control and agent.ports.state
          agent: {ports: {health: 9443}}                                | agent.ports.control and agent.ports.health
          agent: {ports: {state: 9000}}                                 | agent.ports.state and agent.ports.health
          agent: {ports: {state: '9444'}}                               | /agent/ports/state
          agent: {ports: {state: 65536}}                                | /agent/ports/state
          agent: {ports: {state: null}}                                 | 'state'
          agent: {stateHost: '$(NODE).example'}                         | agent.stateHost: there is no variable NODE
          agent: {stateHost: 7}                                         | /agent/stateHost
          agent: {maximumWindowMemory: 9999999999T}                     | /agent/maximumWindowMemory
          agent: {maximumWindowMemory: 256}                             | /agent/maximumWindowMemory
          agent: {maximumWindowMemory: 256Gi}                           | /agent/maximumWindowMemory
          agent: {terminationGracePeriodSeconds: 10}                    | /agent/terminationGracePeriodSeconds
          agent: {updateStrategy: {maxUnavailable: 101%}}               | /agent/updateStrategy/maxUnavailable
          agent: {hostNetwork: 'yes'}                                   | /agent/hostNetwork
          agent: {seLinuxOptions: {kind: spc_t}}                        | 'kind'
          agent: {nodeSelector: {kubernetes.io/os: windows}}            | /agent/nodeSelector/kubernetes.io~1os
          agent: {nodeSelector: {kubernetes.io/arch: s390x}}            | /agent/nodeSelector/kubernetes.io~1arch
          agent: {nodeSelector: {a: true}}                              | /agent/nodeSelector/a
          agent: {nodeSelector: null}                                   | 'nodeSelector'
          agent: {affinity: {nodeAfinity: {}}}                          | 'nodeAfinity'
          agent: {affinity: [a]}                                        | /agent/affinity
          agent: {tolerations: {key: a}}                                | /agent/tolerations
          agent: {tolerations: [{operator: Exists, value: a}]}          | /agent/tolerations/0
          agent: {tolerations: [{effect: NoSchedule}]}                  | /agent/tolerations/0
          agent: {tolerations: [{key: a, tolerationSeconds: 1}]}        | /agent/tolerations/0
          agent: {tolerations: [{key: a, value: 1}]}                    | /agent/tolerations/0/value
          agent: {priorityClassName: a..b}                              | /agent/priorityClassName
          agent: {priorityClassName: 7}                                 | /agent/priorityClassName
          agent: {resources: {limits: {memory: 1 Gi}}}                  | /agent/resources/limits/memory
          agent: {resources: {limits: {memory: -1}}}                    | /agent/resources/limits/memory
          agent: {resources: {limits: {memory: true}}}                  | /agent/resources/limits/memory
          agent: {resources: {limit: {memory: 1Gi}}}                    | 'limit'
          agent: {resources: null}                                      | 'resources'
          agent: {logLevel: debug}                                      | /agent/logLevel
          agent: {javaOptions: [a]}                                     | /agent/javaOptions
          operator: {replicas: '2'}                                     | /operator/replicas
          operator: {replicas: 1.5}                                     | /operator/replicas
          operator: {image: {tag: 1.10}}                                | /operator/image/tag
          operator: {image: {tag: 7}}                                   | /operator/image/tag
          operator: {image: {tag: a:b}}                                 | /operator/image/tag
          operator: {image: {repository: registry.example/op:7}}        | /operator/image/repository
          operator: {image: {repository: registry.example/Op}}          | /operator/image/repository
          operator: {image: {repository: registry.example//op}}         | /operator/image/repository
          operator: {image: {repository: 'https://registry.example/op'}} | /operator/image/repository
          operator: {image: {pullPolicy: always}}                       | /operator/image/pullPolicy
          operator: {image: null}                                       | 'image'
          operator: null                                                | 'operator'
          imagePullSecrets: [a]                                         | /imagePullSecrets/0
          imagePullSecrets: [{name: A}]                                 | /imagePullSecrets/0/name
          imagePullSecrets: [{name: a}, {name: a}]                      | /imagePullSecrets
          fullnameOverride: 7                                           | /fullnameOverride
          fullnameOverride: A                                           | /fullnameOverride
          tls: {operatorSecret: Secret}                                 | /tls/operatorSecret
          tls: {operatorSecret: 7}                                      | /tls/operatorSecret
          tls: {operatorSecret: one, agentSecret: one}                  | tls.operatorSecret and tls.agentSecret are both one
          tls: {generated: {validityDays: '365'}}                       | /tls/generated/validityDays
          tls: {generated: null}                                        | 'generated'
          tls: {generated: {nodeNamesWithDots: [a..b]}}                 | /tls/generated/nodeNamesWithDots/0
          admission: {adminNamespaces: [7]}                             | /admission/adminNamespaces/0
          admission: {adminNamespaces: [a.b]}                           | /admission/adminNamespaces/0
          admission: {adminNamespaces: [a, a]}                          | /admission/adminNamespaces
          networkPolicy: {enabled: null}                                | 'enabled'
          networkPolicy: {stateCidrs: [300.0.0.0/8]}                    | /networkPolicy/stateCidrs/0
          networkPolicy: {stateCidrs: ['1:2/64']}                       | /networkPolicy/stateCidrs/0
          networkPolicy: {dnsPorts: [0]}                                | /networkPolicy/dnsPorts/0
          networkPolicy: {metricsFrom: [{}]}                            | /networkPolicy/metricsFrom/0
          networkPolicy: {metricsFrom: [{ipBlock: {}}]}                 | /networkPolicy/metricsFrom/0/ipBlock
          networkPolicy: {metricsFrom: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]} | /networkPolicy/metricsFrom/0
          networkPolicy: {metricsFrom: [{podSelector: {app: a}}]}       | 'app'
          agent: {extraEnv: [{name: A, valueFrom: {fieldRef: {field: spec.nodeName}}}]} | /agent/extraEnv/0/valueFrom/fieldRef
          agent: {extraEnv: [{name: A, valueFrom: {fieldRef: {fieldPath: 7}}}]} | /agent/extraEnv/0/valueFrom/fieldRef/fieldPath
          agent: {extraEnv: [{name: A, valueFrom: {secretKeyRef: {name: s}}}]} | /agent/extraEnv/0/valueFrom/secretKeyRef
          agent: {extraEnv: [{name: A, valueFrom: {secretKeyRef: {name: 7, key: k}}}]} | /agent/extraEnv/0/valueFrom/secretKeyRef/name
          agent: {extraEnv: [{name: A, valueFrom: {configMapKeyRef: {key: k}}}]} | /agent/extraEnv/0/valueFrom/configMapKeyRef
          agent: {extraEnv: [{name: A, valueFrom: {resourceFieldRef: {}}}]} | /agent/extraEnv/0/valueFrom/resourceFieldRef
          agent: {extraEnv: [{name: LC_ALL, value: POSIX}]}             | agent.extraEnv: LC_ALL
          operator: {extraEnv: [{name: LANG, value: POSIX}]}            | operator.extraEnv: LANG
          agent: {memoryDirectories: [/var/run/vfio-user]}              | agent.vfioUserDirectory and agent.memoryDirectories[0] are both /run/vfio-user
          agent: {vfioUserDirectory: /var/run/vfio-migration, kernelDevices: {enabled: true}} | agent.kernelDevices.handoverDirectory
          agent: {kernelDevices: {cgroupDirectory: /sys/fs}}            | /agent/kernelDevices/cgroupDirectory
          agent: {hostNetwork: true, ports: {health: 10250}}            | agent.ports.health: with agent.hostNetwork 10250
          agent: {stateHost: storage.example.org}                       | agent.stateHost: storage.example.org is one name for all nodes
          agent: {stateHost: 10.20.0.1}                                 | agent.stateHost: 10.20.0.1 is one name for all nodes
          agent: {stateHost: '$(AGENT_NODE_NAME):9444'}                 | agent.stateHost: $(AGENT_NODE_NAME):9444 has a port
          agent: {stateHost: '$(AGENT_NODE_NAME)..example'}             | agent.stateHost: $(AGENT_NODE_NAME)..example is no name
          agent: {affinity: {nodeAffinity: {required: {}}}}             | /agent/affinity/nodeAffinity
          agent: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpression: []}]}}}} | 'matchExpression'
          agent: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [true]}]}]}}}} | /matchExpressions/0/values/0
          operator: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {}}]}}} | 'topologyKey'
          operator: {affinity: {podAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, podAffinityTerm: {topologyKey: a}}]}}} | /weight
          agent: {resources: {limits: {memroy: 1Gi}}}                   | 'memroy'
          agent: {resources: {limits: {memory: 768}}}                   | agent.resources.limits.memory: with 768
          agent: {resources: {limits: {memory: 768m}}}                  | agent.resources.limits.memory: with 768m
          operator: {resources: {requests: {memory: 2Gi}}}              | operator.resources.requests.memory: 2Gi is more than its limit of 512Mi
          operator: {resources: {requests: {cpu: 2}, limits: {cpu: 1500m}}} | operator.resources.requests.cpu: 2 is more
          operator: {resources: {requests: {memory: 1e10}, limits: {memory: 1Gi}}} | operator.resources.requests.memory
          networkPolicy: {metricsFrom: [{podSelector: {matchExpressions: [{key: app, operator: in, values: [a]}]}}]} | /matchExpressions/0/operator
          networkPolicy: {metricsFrom: [{podSelector: {matchExpressions: [{key: app, operator: In}]}}]} | /matchExpressions/0
          networkPolicy: {metricsFrom: [{podSelector: {matchExpressions: [{key: app, operator: Exists, values: [a]}]}}]} | /matchExpressions/0/values
          networkPolicy: {metricsFrom: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]} | networkPolicy.metricsFrom[0].ipBlock.except: 11.0.0.0/16 is no part of 10.0.0.0/8
          networkPolicy: {metricsFrom: [{ipBlock: {cidr: 10.0.0.0/16, except: [10.0.0.0/8]}}]} | networkPolicy.metricsFrom[0].ipBlock.except
          networkPolicy: {metricsFrom: [{ipBlock: {cidr: 10.0.0.0/8, except: ['fd00::/8']}}]} | networkPolicy.metricsFrom[0].ipBlock.except
          rbac: {aggregateToEdit: 'true'}                               | /rbac/aggregateToEdit
          """)
  void whatCannotWorkIsRefusedByName(String values, String complaint) {
    assertThatThrownBy(() -> Chart.render(values))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(complaint);
  }

  /** The longest device over vfio-user has 63 characters, that of the kernel is a UUID. */
  @Test
  void aDirectoryWhoseSocketsWouldBecomeTooLongIsRefused() {
    String served = "/run/" + "u".repeat(24);
    String handedOver = "/run/" + "h".repeat(51);
    assertThat((served + "/" + "n".repeat(63) + "/workload.sock").length()).isEqualTo(107);
    assertThat((handedOver + "/" + "d".repeat(36) + "/handover.sock").length()).isEqualTo(107);

    Chart.render("agent: {vfioUserDirectory: " + served + "}");
    Chart.render("agent: {kernelDevices: {enabled: true, handoverDirectory: " + handedOver + "}}");

    assertThatThrownBy(() -> Chart.render("agent: {vfioUserDirectory: " + served + "u}"))
        .hasMessageContaining("agent.vfioUserDirectory: " + served + "u has 30 characters");
    assertThatThrownBy(
            () -> Chart.render("agent: {kernelDevices: {handoverDirectory: " + handedOver + "h}}"))
        .hasMessageContaining("agent.kernelDevices.handoverDirectory: " + handedOver + "h has 57");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{serviceAccounts: null, rbac: null, admission: null, imagePullSecrets: null}",
        "operator: {podDisruptionBudget: null, podLabels: null, extraEnv: null, affinity: null}",
        "agent: {memoryDirectories: null, podAnnotations: null, seLinuxOptions: null, tolerations:"
            + " null, stateHost: null, hostNetwork: null, extraEnv: null, podLabels: null}",
        "networkPolicy: {stateCidrs: null, dnsPorts: null, metricsFrom: null}",
        "{operator: {image: {tag: null, digest: null}}, tls: {generated: {nodeNamesWithDots:"
            + " null}}}",
        "agent: {resources: {}, nodeSelector: {}, podLabels: {}, extraEnv: []}",
      })
  void whatIsLeftEmptyIsLeftOut(String values) {
    RenderedObjects rendered = Chart.renderWithJob(values);

    assertThat(onlyContainer(rendered.agentPod()).getImage()).isNotEmpty();
    assertThat(onlyContainer(rendered.operatorPod()).getImage()).isNotEmpty();
  }

  @Test
  void whatIsLegalArrivesAsItIs() {
    RenderedObjects rendered =
        Chart.render(
            """
            operator:
              image: {repository: 'registry.example:5000/a-b/c_d', tag: '1.10'}
              podLabels: {tier: '1', 'example.org/Team_1': 'yes'}
              podAnnotations: {port: '8080', empty: ''}
              extraEnv:
                - {name: NUMBER, value: '0x10'}
                - {name: EMPTY, value: ''}
                - {name: BARE}
                - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
            agent:
              image: {repository: '[fd00::1]:5000/agent', digest: 'sha256:%s'}
              stateHost: '$(NETWORK)-$(AGENT_NODE_NAME)'
              extraEnv: [{name: NETWORK, value: storage}]
              memoryDirectories: [/dev/shm, /dev/shm/huge, /run/vfio-user/huge]
              priorityClassName: '1e3'
              maximumWindowMemory: 999999T
              updateStrategy: {maxUnavailable: 100%%}
              resources: {requests: {cpu: 0.5, memory: 4294967296, nvidia.com/gpu: 1}, limits: {cpu: 500m, memory: '4294967.296E3'}}
              nodeSelector: {kubernetes.io/arch: arm64, 'a.example/b': ''}
              tolerations: [{operator: Exists, effect: ''}, {key: a, operator: '', effect: NoExecute, tolerationSeconds: 3000000}]
            networkPolicy:
              stateCidrs: [10.0.0.0/8, '::/0', 'fd00:1::/64', '2001:db8::1:2/127', '1:2:3:4:5:6:7:8/128']
              metricsFrom:
                - {namespaceSelector: {}}
                - {podSelector: {matchExpressions: [{key: app, operator: In, values: [a]}, {key: b, operator: Exists}]}}
                - {ipBlock: {cidr: '::/0', except: ['fd00::/8']}}
                - {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}
            """
                .formatted(DIGEST));
    PodSpec agent = rendered.agentPod();

    assertThat(onlyContainer(rendered.operatorPod()).getImage())
        .isEqualTo("registry.example:5000/a-b/c_d:1.10");
    assertThat(onlyContainer(agent).getImage()).isEqualTo("[fd00::1]:5000/agent@sha256:" + DIGEST);
    assertThat(environment(rendered.operatorPod()).get("NUMBER").getValue()).isEqualTo("0x10");
    assertThat(environment(agent).get("AGENT_STATE_HOST").getValue())
        .isEqualTo("$(NETWORK)-$(AGENT_NODE_NAME)");
    assertThat(onlyContainer(agent).getVolumeMounts())
        .extracting(VolumeMount::getMountPath)
        .doesNotHaveDuplicates()
        .contains("/dev/shm", "/dev/shm/huge", "/run/vfio-user/huge");
    assertThat(agent.getPriorityClassName()).isEqualTo("1e3");
    assertThat(agent.getTolerations())
        .extracting(Toleration::getTolerationSeconds)
        .isEqualTo(java.util.Arrays.asList(null, 3000000L));
    assertThat(onlyContainer(agent).getResources().getRequests().get("memory").getNumericalAmount())
        .isEqualByComparingTo("4294967296");
  }

  /** What clusters with accelerators commonly ask for. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "agent: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution:"
            + " {nodeSelectorTerms: [{matchExpressions: [{key: nvidia.com/gpu.count, operator: Gt,"
            + " values: ['1']}]}, {matchFields: [{key: metadata.name, operator: In, values:"
            + " [node-a]}]}]}}}}",
        "operator: {affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution:"
            + " [{weight: 1, podAffinityTerm: {topologyKey: topology.kubernetes.io/zone,"
            + " labelSelector: {matchLabels: {app.kubernetes.io/component: operator}}}}]}}}",
        "operator: {podLabels: {sidecar.istio.io/inject: 'false', istio.io/rev: stable},"
            + " podAnnotations: {prometheus.io/port: '8080', json: '{\"a\": [1]}'}}",
        "agent: {extraEnv: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k, optional:"
            + " true}}}, {name: B, valueFrom: {fieldRef: {apiVersion: v1, fieldPath:"
            + " status.hostIP}}}, {name: C, valueFrom: {resourceFieldRef: {resource: limits.memory,"
            + " divisor: 1Mi}}}]}",
        "agent: {stateHost: '$(ADDRESS)', extraEnv: [{name: ADDRESS, valueFrom: {fieldRef:"
            + " {fieldPath: status.hostIP}}}]}",
        "agent: {stateHost: 'fd00:20::$(NUMBER)', extraEnv: [{name: NUMBER, value: '7'}]}",
      })
  void whatIsCommonIsTaken(String values) {
    Chart.render(values).agentPod();
  }

  /** The same value set in two places: which of the two counts is not said. */
  @Test
  void noVariableOfTheChartMayBeSetBesideIt() {
    RenderedObjects rendered =
        Chart.render(
            "agent: {hostNetwork: true, stateHost: $(AGENT_NODE_NAME), memoryDirectories:"
                + " [/dev/shm], kernelDevices: {enabled: true, handoverUsers: [1]}}");
    for (String component : List.of("agent", "operator")) {
      PodSpec pod = component.equals("agent") ? rendered.agentPod() : rendered.operatorPod();
      assertThat(onlyContainer(pod).getEnv()).isNotEmpty();
      for (var variable : onlyContainer(pod).getEnv()) {
        assertThatThrownBy(
                () ->
                    Chart.render(
                        component
                            + ": {"
                            + (component.equals("agent") ? "hostNetwork: true, " : "")
                            + "extraEnv: [{name: "
                            + variable.getName()
                            + ", value: a}]}"))
            .hasMessageContaining(component + ".extraEnv: ")
            .hasMessageContaining(variable.getName());
      }
    }
  }

  /** Which of two variables of one name counts is not said by what reads them. */
  @Test
  void noVariableIsThereTwice() {
    for (PodSpec pod :
        List.of(
            Chart.render("agent: {hostNetwork: true, kernelDevices: {enabled: true}}").agentPod(),
            Chart.render("").operatorPod())) {
      assertThat(onlyContainer(pod).getEnv())
          .extracting(variable -> variable.getName())
          .doesNotHaveDuplicates();
    }
  }
}
