import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

/** Publishes the OpenAPI document at /openapi.json and a page to browse it at /docs. */
export function publishDocument(app: NestFastifyApplication): void {
  const description = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Homeward')
    .setDescription('A user service that runs whole in every region: any region signs a user in, the few things that only one may decide are decided at the user\'s home.')
    .setVersion('1')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: '<region>.<id>.<mac>', description: 'The token of a session' }, 'session')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, description), { jsonDocumentUrl: 'openapi.json', raw: ['json'] });
}
