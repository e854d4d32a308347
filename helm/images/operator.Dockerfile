# The operator's image. Build from the repository's root, after the Maven build:
#   mvn -B -ntp -Dmaven.test.skip=true package
#   docker build -f helm/images/operator.Dockerfile -t vfio-migration-operator:0.1.0 src/target/quarkus-app
FROM eclipse-temurin:17-jre

# Layers that change seldom come first.
COPY lib/ /app/lib/
COPY quarkus/ /app/quarkus/
COPY app/ /app/app/
COPY quarkus-run.jar /app/

# The chart runs it with this user, a read-only root filesystem and no capabilities.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["java", "-jar", "/app/quarkus-run.jar"]
